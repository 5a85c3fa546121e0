// Temporary files that their writer has locked.
#include "io/locked_temporary.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/subject.h"
#include "pqw/io/atomic_file.h"

namespace pqw {
namespace {

// Temporaries that a signal handler may have to remove. A slot is claimed, filled, then published
// through `live`, so that the handler never sees half a path, nor one that is not ours yet.
constexpr int kSlots = 256;
constexpr std::size_t kMaxPath = 4096;
struct Slot {
  std::atomic<bool> claimed = false;
  std::atomic<bool> live = false;
  std::atomic<pid_t> owner = 0;  // the process that made it; a forked child must not remove it
  std::array<char, kMaxPath> path;
};
std::array<Slot, kSlots> slots;

std::atomic<int> n_signal_pauses = 0;

// Waits for other threads that must not be interrupted, at most a second. (This thread is not one
// of them, else the handler would not have been called.)
void wait_for_signal_pauses() {
  constexpr int kMostTries = 1000;
  constexpr timespec kMillisecond{0, 1'000'000};
  for (int i = 0; i < kMostTries && n_signal_pauses > 0; ++i)
    (void)::nanosleep(&kMillisecond, nullptr);
}

enum class Lock { kOurs, kTheirs, kImpossible };

// The lock belongs to the open file, not to the process, and ends with it however it ends. (Not by
// flock, which HDF5 takes on files that it writes.)
Lock lock(int fd) {
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &whole) == 0) return Lock::kOurs;
  return errno == EAGAIN || errno == EACCES ? Lock::kTheirs : Lock::kImpossible;
}

// Whether `path` still names the open file: its last owner may have renamed or removed it.
bool names(const std::string& path, int fd) {
  struct stat at_path, open;
  return ::lstat(path.c_str(), &at_path) == 0 && ::fstat(fd, &open) == 0 &&
         at_path.st_dev == open.st_dev && at_path.st_ino == open.st_ino;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

// A new file that is locked before it gets its name. Returns -1 with errno EEXIST if the name is
// taken, and with another errno if the file system cannot do this.
int create_locked_at_once(const std::string& temporary) {
  const int fd = ::open(folder_of(temporary).c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
  if (fd < 0) return fd;
  errno = 0;
  const std::string unnamed = "/proc/self/fd/" + std::to_string(fd);
  if (lock(fd) == Lock::kOurs &&
      ::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    return fd;
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

// As create_locked_at_once, except that the file has its name and no lock for a moment. Returns -1
// if the name is taken, or if another writer took the file for that of a dead writer in this
// moment.
int create_then_lock(const std::string& temporary, const std::string& path) {
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 && errno == ENOENT) {
    throw Subject{path}.error(ErrorCode::kNotFound, "its folder does not exist; create it first");
  }
  if (fd < 0 && errno != EEXIST) {
    throw Subject{path}.system_error("create a temporary file beside it");
  }
  if (fd < 0) return fd;
  const Lock state = lock(fd);
  if (state == Lock::kImpossible || (state == Lock::kOurs && names(temporary, fd))) return fd;
  ::close(fd);
  return -1;
}

// Removes the temporary of a writer that is dead; throws when it lives.
void remove_stale(const std::string& temporary, const std::string& path) {
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return;
  if (fd < 0) throw Subject{temporary}.system_error("open the temporary file of an earlier writer");
  const Lock state = lock(fd);
  if (state == Lock::kOurs && names(temporary, fd)) ::unlink(temporary.c_str());
  ::close(fd);
  if (state == Lock::kOurs) return;
  const Subject subject{path, ErrorCode::kBusy};
  if (state == Lock::kTheirs) {
    throw subject.error("somebody else is writing it: {} is locked", temporary);
  }
  throw subject.error(
      "locks do not work here, and {} is there: remove it if nobody else is writing", temporary);
}

}  // namespace

SignalPause::SignalPause() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  ++n_signal_pauses;
}

SignalPause::~SignalPause() {
  --n_signal_pauses;
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int create_locked(const std::string& temporary, const std::string& path) {
  constexpr int kAttempts =
      1000;  // each fails if another writer creates or removes the file meanwhile
  for (int i = 0; i < kAttempts; ++i) {
    int fd = create_locked_at_once(temporary);
    if (fd < 0 && errno != EEXIST) fd = create_then_lock(temporary, path);
    if (fd >= 0) return fd;
    remove_stale(temporary, path);
  }
  throw Subject{path}.error(ErrorCode::kBusy, "too many other writers try to write it");
}

int register_temporary(const std::string& path) {
  if (path.size() >= kMaxPath) return -1;
  for (int i = 0; i < kSlots; ++i) {
    Slot& slot = slots[static_cast<std::size_t>(i)];
    bool expected = false;
    if (!slot.claimed.compare_exchange_strong(expected, true)) continue;
    std::memcpy(slot.path.data(), path.c_str(), path.size() + 1);
    slot.owner = ::getpid();
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

int remove_temporaries_in_signal_handler() noexcept {
  wait_for_signal_pauses();
  int n_removed = 0;
  for (Slot& slot : slots) {
    if (slot.live && slot.owner == ::getpid() && ::unlink(slot.path.data()) == 0) ++n_removed;
  }
  // Folders, which are empty now. Those in others were registered after them.
  for (auto at = slots.rbegin(); at != slots.rend(); ++at) {
    Slot& slot = *at;
    if (slot.live && slot.owner == ::getpid() && ::rmdir(slot.path.data()) == 0) ++n_removed;
  }
  return n_removed;
}

}  // namespace pqw
