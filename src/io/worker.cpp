// A child process that reads a file which may be hostile: the side of the parent.
#include "io/worker.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <new>

#include "io/sandbox.h"
#include "io/system_error.h"
#include "io/worker_protocol.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

// Opening takes milliseconds; a tensor takes the time to read, unpack and send it.
constexpr std::uint64_t kSeconds = 10;
constexpr std::uint64_t kBytesPerSecond = 8 * kMebi;
// Seconds on the clock for one of computing: for discs and networks that do not answer.
constexpr std::uint64_t kPatience = 12;

// Of address space, most of which is never used; the files are in there several times over.
constexpr std::uint64_t kFreeMemory = 512 * kMebi;
constexpr std::uint64_t kMemoryPerByte = 6;

constexpr std::size_t kPartBytes = 64 * kMebi;

constexpr const char* kTooLong =
    "reading it takes too long: the file is broken or crafted to do so";

// Address space of this process, which a child starts with.
std::uint64_t mapped_bytes() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t seconds_used(pid_t child) {
  clockid_t clock;
  timespec used{};
  if (::clock_getcpuclockid(child, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<std::uint64_t>(used.tv_sec);
}

void limit(pid_t child, __rlimit_resource resource, std::uint64_t value) {
  rlimit limits{value, RLIM_INFINITY};
  rlimit before{};
  if (::prlimit(child, resource, nullptr, &before) == 0) limits.rlim_max = before.rlim_max;
  limits.rlim_cur = std::min<rlim_t>(limits.rlim_cur, limits.rlim_max);
  (void)::prlimit(child, resource, &limits, nullptr);
}

}  // namespace

Worker::Worker(const InputFile& file, Service service)
    : path_(file.path()), memory_at_start_(mapped_bytes()) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw system_error(path_, "connect to a process that reads it");
  }
  child_ = ::fork();
  if (child_ == 0) serve_requests(ends[1], file.descriptor(), service);
  ::close(ends[1]);
  socket_ = ends[0];
  if (child_ < 0) {
    ::close(socket_);
    throw system_error(path_, "start a process that reads it");
  }
}

Worker::~Worker() { end(); }

void Worker::end() noexcept {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  if (child_ <= 0) return;
  (void)::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
}

void Worker::allow(std::size_t n_bytes) {
  const std::uint64_t seconds = kSeconds + n_bytes / kBytesPerSecond;
  limit(child_, RLIMIT_CPU, seconds_used(child_) + seconds);
  const timeval patience{static_cast<time_t>(kPatience * seconds), 0};
  (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (has_sanitizer()) return;  // its shadow memory counts as address space
  limit(child_, RLIMIT_AS, memory_at_start_ + kFreeMemory + kMemoryPerByte * n_bytes);
}

std::vector<std::byte> Worker::call(std::uint64_t request, std::size_t most_bytes) {
  const std::lock_guard lock(mutex_);
  if (socket_ < 0) throw Error(ErrorCode::kFormat, path_ + ": reading it has failed before");
  allow(most_bytes);
  ssize_t n = 0;
  do {
    n = ::send(socket_, &request, sizeof(request), MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof(request)) fail_as_child_ended();
  return receive(most_bytes);
}

std::vector<std::byte> Worker::receive(std::size_t most_bytes) {
  WorkerAnswer answer{};
  if (!receive_into(std::as_writable_bytes(std::span(&answer, 1)))) fail_as_child_ended();
  const bool is_error = answer.is_error != 0;
  if (answer.n_bytes > (is_error ? kMaxMessageBytes : most_bytes)) {
    fail("the process that reads it answers with " + std::to_string(answer.n_bytes) +
         " bytes, expected " + std::to_string(most_bytes) + " at most");
  }
  std::vector<std::byte> bytes;
  // In parts: what the child announces but does not send takes no memory.
  while (bytes.size() < answer.n_bytes) {
    const std::size_t begin = bytes.size();
    try {
      bytes.reserve(answer.n_bytes);
      bytes.resize(begin + std::min<std::size_t>(kPartBytes, answer.n_bytes - begin));
    } catch (const std::bad_alloc&) {
      end();
      throw Error(ErrorCode::kIo,
                  path_ + ": not enough memory for " + std::to_string(answer.n_bytes) + " bytes");
    }
    if (!receive_into(std::span(bytes).subspan(begin))) fail_as_child_ended();
  }
  if (!is_error) return bytes;
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool is_code = answer.code <= static_cast<std::uint32_t>(ErrorCode::kNonFinite);
  throw Error(is_code ? static_cast<ErrorCode>(answer.code) : ErrorCode::kFormat, printable(text));
}

bool Worker::receive_into(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) fail(kTooLong);
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

void Worker::fail(const std::string& what) {
  end();
  throw Error(ErrorCode::kFormat, path_ + ": " + what);
}

void Worker::fail_as_child_ended() {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  const bool known = ended == child_;
  child_ = -1;
  if (known && WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    if (signal == SIGXCPU) fail(kTooLong);
    fail("the process that reads it was ended by signal " + std::to_string(signal) + " (" +
         ::strsignal(signal) + "): the file is broken or crafted to do so");
  }
  fail("the process that reads it gave up: the file is broken or crafted to do so");
}

}  // namespace pqw
