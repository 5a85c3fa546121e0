// A file that appears under its name complete or not at all.
#include "pqw/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "io/system_error.h"

namespace pqw {
namespace {

// Temporaries that a signal handler may have to remove. A slot is claimed, filled, then published
// through `live`, so that the handler never sees half a path.
constexpr int kSlots = 16;
constexpr std::size_t kMaxPath = 4096;
struct Slot {
  std::atomic<bool> claimed = false;
  std::atomic<bool> live = false;
  std::array<char, kMaxPath> path;
};
std::array<Slot, kSlots> slots;

int register_temporary(const std::string& path) {
  if (path.size() >= kMaxPath) return -1;
  for (int i = 0; i < kSlots; ++i) {
    Slot& slot = slots[static_cast<std::size_t>(i)];
    bool expected = false;
    if (!slot.claimed.compare_exchange_strong(expected, true)) continue;
    std::memcpy(slot.path.data(), path.c_str(), path.size() + 1);
    slot.live = true;
    return i;
  }
  return -1;
}

void unregister_temporary(int index) {
  if (index < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(index)];
  slot.live = false;
  slot.claimed = false;
}

// Where the file goes once it is whole; throws unless it may go there.
std::string find_target(const std::string& path, bool overwrite) {
  if (path.empty()) throw Error(ErrorCode::kIo, "the name of the output is empty");
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) return path;
  const bool is_link = S_ISLNK(status.st_mode);
  if (is_link && ::stat(path.c_str(), &status) != 0) throw system_error(path, "follow the link");
  if (S_ISDIR(status.st_mode)) throw Error(ErrorCode::kIo, path + ": is a folder");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::kIo, path + ": not a regular file");
  if (!overwrite) {
    throw Error(ErrorCode::kExists, path + ": exists already; overwriting was not asked for");
  }
  if (!is_link) return path;
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) throw system_error(path, "follow the link");
  return real.get();
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void sync_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw system_error(folder, "open");
  const bool ok = ::fsync(fd) == 0 || errno == EINVAL;  // some file systems cannot sync folders
  const Error error = system_error(folder, "sync");
  ::close(fd);
  if (!ok) throw error;
}

}  // namespace

void remove_temporaries_in_signal_handler() noexcept {
  for (Slot& slot : slots) {
    if (slot.live) ::unlink(slot.path.data());
  }
}

AtomicFile::AtomicFile(std::string path, bool overwrite)
    : path_(std::move(path)), target_(find_target(path_, overwrite)), overwrite_(overwrite) {
  temporary_path_ = target_ + ".XXXXXX.tmp";
  fd_ = ::mkostemps(temporary_path_.data(), 4, O_CLOEXEC);
  if (fd_ < 0) throw system_error(path_, "create a temporary file beside it");
  slot_ = register_temporary(temporary_path_);
  const mode_t mask = ::umask(0);  // mkostemps makes the file private; give it the usual mode
  ::umask(mask);
  (void)::fchmod(fd_, 0666 & ~mask);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_path_.c_str());
  unregister_temporary(slot_);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_path_(std::move(other.temporary_path_)),
      fd_(std::exchange(other.fd_, -1)),
      overwrite_(other.overwrite_),
      slot_(std::exchange(other.slot_, -1)) {}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(path_, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(path_, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) throw system_error(path_, "sync");
  const unsigned flags = overwrite_ ? 0u : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, temporary_path_.c_str(), AT_FDCWD, target_.c_str(), flags) != 0) {
    if (errno == EEXIST) {
      throw Error(ErrorCode::kExists, path_ + ": was created by somebody else meanwhile");
    }
    throw system_error(path_, "rename the temporary file to it");
  }
  unregister_temporary(std::exchange(slot_, -1));
  ::close(std::exchange(fd_, -1));
  sync_folder(target_);
}

}  // namespace pqw
