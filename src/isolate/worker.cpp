// A child process that reads a file which may be hostile: the side of the parent.
#include "isolate/worker.h"

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
#include <new>
#include <system_error>
#include <utility>

#include "io/locked_temporary.h"
#include "isolate/sandbox.h"
#include "isolate/worker_protocol.h"

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

constexpr const char* kItsFault = ": the file is broken or crafted to do so";
constexpr const char* kShortMemory = "the limits on memory (ulimit -v, -d)";

std::uint64_t seconds_used(pid_t child) {
  clockid_t clock;
  timespec used{};
  if (::clock_getcpuclockid(child, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<std::uint64_t>(used.tv_sec);
}

std::string reason_of(const char* call, int error) {
  return call + (": " + std::generic_category().message(error));
}

// What a system call lacked that failed with that error; nullptr if it is not a lack.
const char* lack_of(int error) {
  switch (error) {
    case EMFILE:
      return "no file descriptor is left (ulimit -n)";
    case ENFILE:
      return "no file descriptor is left on this system";
    case EAGAIN:
      return "no process is left (ulimit -u)";
    case ENOMEM:
    case ENOBUFS:
      return "no memory is left";
    default:
      return nullptr;
  }
}

// Signals that end a process after a forbidden action.
bool is_fault(int signal) {
  constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXFSZ};
  return std::ranges::find(kFaults, signal) != std::end(kFaults);
}

}  // namespace

Worker::Worker(const InputFile& file, Service service)
    : file_(file),
      service_(std::move(service)),
      subject_{file.path(), ErrorCode::kIo},
      owner_(::getpid()) {
  try {
    start();
  } catch (...) {
    end();
    throw;
  }
}

void Worker::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw cannot_start("socketpair", errno);
  }
  socket_ = ends[0];
  int error = 0;
  {
    const SignalPause pause;  // the handlers of this program must not run in the child
    child_ = ::fork();
    if (child_ == 0) serve_requests(ends[1], file_.descriptor(), service_);
    if (child_ < 0) error = errno;
  }
  ::close(ends[1]);
  if (child_ < 0) throw cannot_start("fork", error);
  wait_at_most(kPatience * kSeconds);
  const std::vector<std::byte> memory = receive(sizeof(memory_at_start_));
  std::memcpy(&memory_at_start_, memory.data(), memory.size());
  has_started_ = true;
}

Worker::~Worker() { end(); }

// The child that this object names belongs to the process that forked this one. The mutex may have been
// held by another thread of that process, which does not exist here.
void Worker::start_in_new_process() {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (owner_ == ::getpid()) return;
  const bool has_failed = socket_ < 0;
  end();
  new (&mutex_) std::mutex;
  const std::lock_guard starting(mutex_);
  owner_ = ::getpid();
  has_started_ = false;
  if (has_failed) return;
  try {
    start();
  } catch (...) {
    end();
    throw;
  }
}

void Worker::end() noexcept {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  if (owner_ != ::getpid()) child_ = -1;
  if (child_ <= 0) return;
  (void)::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
}

// Returns whether the limits of this process allow the child less than `value`.
bool Worker::limit(int resource, std::uint64_t value) {
  const auto which = static_cast<__rlimit_resource>(resource);
  rlimit limits{};
  bool ok = ::prlimit(child_, which, nullptr, &limits) == 0;
  limits.rlim_cur = std::min<rlim_t>(value, limits.rlim_max);
  ok = ok && ::prlimit(child_, which, &limits, nullptr) == 0;
  if (!ok && errno != ESRCH) throw not_allowed(reason_of("prlimit", errno));
  return limits.rlim_cur < value;
}

void Worker::wait_at_most(std::uint64_t seconds) {
  const timeval patience{static_cast<time_t>(seconds), 0};
  (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

void Worker::allow(std::size_t n_bytes) {
  const std::uint64_t seconds = kSeconds + n_bytes / kBytesPerSecond;
  shortage_.time = limit(RLIMIT_CPU, seconds_used(child_) + seconds);
  wait_at_most(kPatience * seconds);
  if (has_sanitizer()) return;  // its shadow memory counts as address space
  rlimit data{};
  (void)::getrlimit(RLIMIT_DATA, &data);
  const bool is_short = limit(RLIMIT_AS, memory_at_start_ + kFreeMemory + kMemoryPerByte * n_bytes);
  shortage_.memory = is_short || data.rlim_cur != RLIM_INFINITY;
}

std::vector<std::byte> Worker::call(std::uint64_t request, std::size_t most_bytes) {
  if (owner_ != ::getpid()) start_in_new_process();
  const std::lock_guard lock(mutex_);
  if (socket_ < 0) throw subject_.error(ErrorCode::kFormat, "reading it has failed before");
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
  const bool is_answer = answer.kind == kAnswer;
  if (answer.n_bytes > (is_answer ? most_bytes : kMaxMessageBytes)) {
    fail(ErrorCode::kFormat,
         fmt::format("the process that reads it answers with {} bytes, expected {} at most",
                     answer.n_bytes, most_bytes));
  }
  std::vector<std::byte> bytes = receive_bytes(answer.n_bytes);
  if (is_answer) return bytes;
  throw error_of_child(answer, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::vector<std::byte> Worker::receive_bytes(std::size_t n_bytes) {
  std::vector<std::byte> bytes;
  // In parts: what the child announces but does not send takes no memory.
  while (bytes.size() < n_bytes) {
    const std::size_t begin = bytes.size();
    try {
      bytes.reserve(n_bytes);
      bytes.resize(begin + std::min(kPartBytes, n_bytes - begin));
    } catch (const std::bad_alloc&) {
      fail(ErrorCode::kIo, fmt::format("not enough memory for {} bytes", n_bytes));
    }
    if (!receive_into(std::span(bytes).subspan(begin))) fail_as_child_ended();
  }
  return bytes;
}

Error Worker::error_of_child(const WorkerAnswer& answer, const std::string& text) const {
  if (!has_started_) return not_allowed(text);
  if (answer.kind == kNoMemory && shortage_.memory) {
    return subject_.error("{} of this process leave too little to read it", kShortMemory);
  }
  if (answer.kind == kNoMemory) {
    return subject_.error(ErrorCode::kFormat, "needs more memory than its size can explain");
  }
  const bool is_code = answer.code <= static_cast<std::uint32_t>(ErrorCode::kNonFinite);
  const auto code = is_code ? static_cast<ErrorCode>(answer.code) : ErrorCode::kFormat;
  // The HDF5 library does not distinguish a lack of memory from a broken file.
  const bool may_be_memory =
      shortage_.memory && (code == ErrorCode::kFormat || code == ErrorCode::kCorrupt);
  return {code, may_be_memory ? fmt::format("{}; {} may be why", text, kShortMemory) : text};
}

Error Worker::cannot_start(const char* call, int error) const {
  const char* const lack = lack_of(error);
  if (lack == nullptr) return not_allowed(reason_of(call, error));
  return subject_.error("cannot start the process that reads it: {}", lack);
}

Error Worker::not_allowed(const std::string& what) const {
  return subject_.error(
      "this system does not allow the sandbox that HDF5 files are parsed in: {}; --trusted "
      "(ReadOptions::trusted) parses it without; use it only for files whose origin you know",
      what);
}

bool Worker::receive_into(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      fail(ErrorCode::kFormat, std::string("reading it takes too long") + kItsFault);
    }
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

void Worker::fail(ErrorCode code, const std::string& what) {
  end();
  throw subject_.error(code, "{}", what);
}

void Worker::fail_as_child_ended() {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  const int signal = ended == child_ && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  child_ = -1;
  const std::string how =
      signal == 0 ? "gave up"
                  : fmt::format("was ended by signal {} ({})", signal, ::strsignal(signal));
  if (!has_started_) throw not_allowed("the process " + how);
  const std::string text = "the process that reads it " + how;
  const bool is_time = signal == SIGXCPU || signal == SIGKILL;
  if (is_time && shortage_.time) {
    fail(ErrorCode::kIo, text + ": the limit on processor time (ulimit -t) leaves too little");
  }
  if (signal == SIGXCPU) {
    fail(ErrorCode::kFormat, std::string("reading it takes too long") + kItsFault);
  }
  if ((signal == 0 || is_fault(signal)) && shortage_.memory) {
    fail(ErrorCode::kIo, text + "; " + kShortMemory + " may be why");
  }
  if (signal == 0 || is_fault(signal)) fail(ErrorCode::kFormat, text + kItsFault);
  fail(ErrorCode::kIo, text);
}

}  // namespace pqw
