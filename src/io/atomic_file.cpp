// A file that appears under its name complete or not at all.
#include "pqw/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "core/subject.h"
#include "io/different_files.h"
#include "io/locked_temporary.h"
#include "io/spool.h"

namespace pqw {
namespace {

// Where the file goes once it is whole; throws unless it may go there.
std::string find_target(const std::string& path, const WriteOptions& options) {
  if (path.empty()) throw Error(ErrorCode::kIo, "the name of the output is empty");
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) return path;
  const bool is_link = S_ISLNK(status.st_mode);
  if (is_link && ::stat(path.c_str(), &status) != 0)
    throw Subject{path}.system_error("follow the link");
  if (S_ISDIR(status.st_mode)) throw Subject{path}.error(ErrorCode::kIo, "is a folder");
  if (!S_ISREG(status.st_mode)) throw Subject{path}.error(ErrorCode::kIo, "not a regular file");
  if (!options.overwrite) throw Subject{path}.error(ErrorCode::kExists, "exists already");
  if (!is_link) return path;
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) throw Subject{path}.system_error("follow the link");
  return real.get();
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The folder of a file. Opened before a rename, so that nothing is missing between that and the
// sync.
class Folder {
 public:
  explicit Folder(const std::string& path)
      : descriptor_(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        error_(descriptor_ < 0 ? errno : 0) {}
  ~Folder() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // 0, or the number of the error. Some file systems cannot sync folders.
  int sync() const noexcept {
    if (descriptor_ < 0) return error_;
    return ::fsync(descriptor_) == 0 || errno == EINVAL ? 0 : errno;
  }

 private:
  const int descriptor_;
  const int error_;
};

// As rename, but fails with EEXIST when the target is there.
bool rename_to_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // The file system (NFS) does not know the flag.
  if (::link(from.c_str(), to.c_str()) != 0) return false;
  (void)::unlink(from.c_str());  // else the next writer removes it
  return true;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, const WriteOptions& options)
    : path_(std::move(path)), target_(find_target(path_, options)), options_(options) {
  temporary_path_ = target_ + kTemporarySuffix;
  const SignalPause pause;
  fd_ = create_locked(temporary_path_, path_);
  struct stat replaced;  // whose permissions are those of the new file
  if (::stat(target_.c_str(), &replaced) == 0) {
    (void)::fchmod(fd_, (replaced.st_mode & 07777) | S_IRUSR | S_IWUSR);
  }
  slot_ = register_temporary(temporary_path_);
}

AtomicFile AtomicFile::to_standard_output() {
  AtomicFile file;
  file.path_ = std::string(kStandardStream);
  file.fd_ = Spool(kStandardStream).release();
  return file;
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  if (temporary_path_.empty()) {
    ::close(fd_);
    return;
  }
  const SignalPause pause;
  unregister_temporary(slot_);
  ::unlink(temporary_path_.c_str());
  ::close(fd_);  // the lock ends last
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_path_(std::move(other.temporary_path_)),
      fd_(std::exchange(other.fd_, -1)),
      options_(other.options_),
      slot_(std::exchange(other.slot_, -1)) {}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Subject{path_}.system_error("write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Subject{path_}.system_error("write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

bool AtomicFile::rename_to_target() {
  const SignalPause pause;
  const bool renamed = options_.overwrite ? ::rename(temporary_path_.c_str(), target_.c_str()) == 0
                                          : rename_to_new(temporary_path_, target_);
  // After the rename, the name may belong to another writer: no handler may remove it any more.
  if (renamed) unregister_temporary(std::exchange(slot_, -1));
  return renamed;
}

void AtomicFile::commit() {
  if (temporary_path_.empty()) return copy_to_standard_output(fd_);
  if (::fsync(fd_) != 0) throw Subject{path_}.system_error("sync");
  const Folder folder(target_);
  if (!rename_to_target()) {
    if (errno == EEXIST) {
      throw Subject{path_}.error(ErrorCode::kExists, "was created by somebody else meanwhile");
    }
    throw Subject{path_}.system_error("rename the temporary file to it");
  }
  // Nor may the destructor remove it, which -1 tells.
  ::close(std::exchange(fd_, -1));
  errno = folder.sync();
  if (errno == 0) return;
  throw Subject{}.error(ErrorCode::kUnsynced,
                        "{}; it is complete, but a power failure may undo that",
                        Subject{path_}.system_error("sync its folder").what());
}

}  // namespace pqw
