// A folder that appears under its name with all its files, or not at all.
#include "io/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/subject.h"
#include "io/different_files.h"
#include "io/locked_temporary.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;

bool is_empty_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_empty(path, error) && !error;
}

// Without links if it exists, and without '/' at the end.
std::string target_of(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (!error) return real.string();
  const std::size_t last = path.find_last_not_of('/');
  return last == path.npos ? "" : path.substr(0, last + 1);
}

bool is_same(int fd, const std::string& path) {
  struct stat open, named;
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

// Makes the folder, or takes over the folder of a writer that died, and locks it.
int lock_folder(const std::string& temporary, const Subject& subject) {
  constexpr int kAttempts = 1000;  // each fails if another writer renames or removes it meanwhile
  for (int i = 0; i < kAttempts; ++i) {
    if (::mkdir(temporary.c_str(), 0777) != 0 && errno != EEXIST) {
      if (errno == ENOENT) {
        throw subject.error(ErrorCode::kNotFound, "the folder around it does not exist");
      }
      throw subject.system_error("create a temporary folder beside it");
    }
    const int fd = ::open(temporary.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    if (fd < 0) throw subject.system_error("open " + temporary);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(fd);
      throw subject.error(ErrorCode::kBusy, "somebody else is writing it: {} is locked", temporary);
    }
    if (is_same(fd, temporary)) return fd;
    ::close(fd);
  }
  throw subject.error(ErrorCode::kBusy, "too many other writers try to write it");
}

// Removes the files and links for which `may_remove` is true.
void remove_files(const std::string& folder, OutputFolder::MayRemove* may_remove) noexcept try {
  std::error_code ignored;
  fs::directory_iterator entry(folder, ignored);
  for (; entry != fs::directory_iterator(); entry.increment(ignored)) {
    if (entry->symlink_status(ignored).type() == fs::file_type::directory) continue;
    if (may_remove(entry->path().filename().string())) fs::remove(entry->path(), ignored);
  }
} catch (...) {  // no memory: the next writer removes them
}

bool any(std::string_view) { return true; }

// Throws if the temporary folder holds what no writer left: its files are about to be removed, and
// its folders would be in the output.
void require_leftovers(const std::string& temporary, OutputFolder::MayRemove* may_remove,
                       const Subject& subject) {
  std::error_code error;
  for (fs::directory_iterator entry(temporary, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::string_view final_name = name;
    if (name.ends_with(kTemporarySuffix)) {
      final_name.remove_suffix(std::string_view(kTemporarySuffix).size());
    }
    const bool is_file = entry->symlink_status(error).type() != fs::file_type::directory;
    if (is_file ? may_remove(final_name) : name.ends_with(kPartsSuffix)) continue;
    throw subject.error(ErrorCode::kExists,
                        "{} holds '{}', which is not of an interrupted run; rename that folder",
                        temporary, shown(name));
  }
  if (error) throw subject.error(ErrorCode::kIo, "cannot list {}: {}", temporary, error.message());
}

}  // namespace

bool is_output_folder(const std::string& path) {
  return path.ends_with('/') || is_empty_folder(path);
}

OutputFolder::OutputFolder(const std::string& path, const WriteOptions& options,
                           MayRemove* may_remove)
    : path_(path), target_(target_of(path)), options_(options), may_remove_(may_remove) {
  const Subject subject{path_, ErrorCode::kInvalidArgument};
  if (target_.empty() || target_ == "/") throw subject.error("cannot be an output");
  require_replaceable();
  temporary_ = target_ + kTemporarySuffix;
  const SignalPause pause;
  fd_ = lock_folder(temporary_, subject);
  try {
    require_leftovers(temporary_, may_remove_, subject);
    keep_mode();
  } catch (...) {
    ::close(fd_);
    throw;
  }
  slots_.push_back(register_temporary(temporary_));
  remove_files(temporary_, any);
}

OutputFolder::~OutputFolder() {
  if (fd_ < 0) return;
  const SignalPause pause;
  for (const int slot : slots_) unregister_temporary(slot);
  remove_files(temporary_, any);
  ::rmdir(temporary_.c_str());
  ::close(fd_);  // the lock ends last
}

// A folder that takes the place of another one gets its permissions.
void OutputFolder::keep_mode() const {
  struct stat old;
  if (::stat(target_.c_str(), &old) != 0 || ::fchmod(fd_, old.st_mode & 07777) == 0) return;
  throw Subject{path_}.system_error("set the permissions of the temporary folder");
}

void OutputFolder::require_replaceable() const {
  const Subject subject{path_, ErrorCode::kInvalidArgument};
  std::error_code error;
  const fs::file_status status = fs::status(target_, error);
  if (status.type() == fs::file_type::not_found) return;
  if (status.type() != fs::file_type::directory) throw subject.error("is not a folder");
  for (fs::directory_iterator entry(target_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!options_.overwrite) {
      throw subject.error(ErrorCode::kExists, "exists already, and is not empty");
    }
    const std::string name = entry->path().filename().string();
    const bool is_file = entry->symlink_status(error).type() != fs::file_type::directory;
    if (is_file && may_remove_(name)) continue;
    throw subject.error("holds '{}', which is not a file of a model; expected another folder",
                        shown(name));
  }
  if (error) throw subject.error(ErrorCode::kIo, "cannot list: {}", error.message());
}

std::string OutputFolder::path_of(const std::string& name) {
  std::string path = temporary_ + "/" + name;
  slots_.push_back(register_temporary(path));
  return path;
}

void OutputFolder::rename_to_target() {
  const SignalPause pause;
  const auto rename = [&](unsigned flags) {
    return ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), flags) == 0;
  };
  // A plain rename replaces nothing but an empty folder.
  const bool exchanges = !is_empty_folder(target_) && fs::exists(target_);
  const Subject subject{path_, ErrorCode::kExists};
  if (exchanges && !options_.overwrite)
    throw subject.error("was created by somebody else meanwhile");
  if (!rename(exchanges ? RENAME_EXCHANGE : 0)) {
    if (exchanges && (errno == EINVAL || errno == ENOSYS)) {
      throw subject.error(ErrorCode::kUnsupported,
                          "the file system cannot exchange folders; expected a new folder");
    }
    if (errno == ENOTEMPTY || errno == EEXIST) {
      throw subject.error("was created by somebody else meanwhile");
    }
    throw subject.system_error("rename the temporary folder to it");
  }
  for (const int slot : slots_) unregister_temporary(slot);
  slots_.clear();
  if (!exchanges) return;
  remove_files(temporary_, may_remove_);
  ::rmdir(temporary_.c_str());
}

void OutputFolder::commit() {
  const Subject subject{path_};
  if (::fsync(fd_) != 0 && errno != EINVAL) throw subject.system_error("sync");
  const std::string around = fs::path(target_).parent_path().string();
  const int parent =
      ::open(around.empty() ? "." : around.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    rename_to_target();
  } catch (...) {
    if (parent >= 0) ::close(parent);
    throw;
  }
  ::close(std::exchange(fd_, -1));
  const bool synced = parent >= 0 && (::fsync(parent) == 0 || errno == EINVAL);
  const int error = errno;
  if (parent >= 0) ::close(parent);
  errno = error;
  if (synced) return;
  throw Subject{}.error(ErrorCode::kUnsynced,
                        "{}; it is complete, but a power failure may undo that",
                        subject.system_error("sync the folder around it").what());
}

}  // namespace pqw
