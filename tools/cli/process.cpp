// What may end the tool without a message or with half-written files: limits, signals, libraries.
#include "cli/process.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>

#include "cli/progress.h"
#include "cli/shell_command.h"
#include "pqw/core/error.h"
#include "pqw/io/atomic_file.h"

namespace pqw::tool {
namespace {

constexpr rlim_t kLeastStack = 256 << 10;

// The stack of the first thread grows up to the current limit, so raising it now still helps.
void require_stack() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kLeastStack) return;
  limit.rlim_cur = std::min(kLeastStack, limit.rlim_max);
  if (limit.rlim_cur == kLeastStack && ::setrlimit(RLIMIT_STACK, &limit) == 0) return;
  throw Error(ErrorCode::kIo, "the limit on the stack (ulimit -s) is " +
                                  std::to_string(limit.rlim_max >> 10) + " KiB, at least " +
                                  std::to_string(kLeastStack >> 10) + " KiB are needed");
}

// The limit counts whole seconds; a timer of the same clock fires within the first one.
void get_signal_in_first_second() {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGXCPU;
  timer_t timer{};
  if (::timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) != 0) return;
  const itimerspec end{{}, {0, 900'000'000}};
  (void)::timer_settime(timer, TIMER_ABSTIME, &end, nullptr);
}

// The kernel kills at the hard limit, which leaves temporaries.
void get_signal_before_cpu_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur != limit.rlim_max) return;
  if (limit.rlim_max == RLIM_INFINITY) return;
  if (limit.rlim_max < 2) return get_signal_in_first_second();
  limit.rlim_cur = limit.rlim_max - 1;
  (void)::setrlimit(RLIMIT_CPU, &limit);
}

constexpr int kFailed = 1;

// Signals of a fault in the program itself.
constexpr std::array kFaults{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

// Signals that cannot be caught or do not end a process by default.
constexpr std::array kOthers{SIGKILL, SIGSTOP, SIGTSTP,  SIGTTIN, SIGTTOU,
                             SIGCONT, SIGCHLD, SIGWINCH, SIGURG};

bool is_one_of(int signal, auto list) { return std::ranges::find(list, signal) != list.end(); }

void set_action(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  ::sigfillset(&action.sa_mask);
  (void)::sigaction(signal, &action, nullptr);
}

void print(std::initializer_list<std::string_view> texts) {
  std::array<iovec, 4> parts{};
  std::ranges::transform(texts, parts.begin(), [](std::string_view text) {
    return iovec{const_cast<char*>(text.data()), text.size()};
  });
  (void)!::writev(STDERR_FILENO, parts.data(), static_cast<int>(texts.size()));
}

// Removes temporaries, then lets the signal end the process as if it had not been caught.
extern "C" void on_fatal_signal(int signal) {
  set_action(SIGPIPE, SIG_IGN);  // nobody may be reading the message
  end_commands_in_signal_handler();
  if (remove_temporaries_in_signal_handler() > 0) {
    print({"\npqw: ", is_one_of(signal, kFaults) ? "crashed" : "interrupted",
           "; the output is as it was",
           parts_are_kept != 0 ? "; --resume continues from the finished tensors\n" : "\n"});
  }
  set_action(signal, SIG_DFL);
  (void)::raise(signal);  // arrives when this returns
}

// libgomp and HDF5 call exit when memory is missing; HDF5 does so in the reader processes, too.
extern "C" void at_exit() {
  if (remove_temporaries_in_signal_handler() == 0) return;
  print({"pqw: ended by a library; the output is as it was\n"});
  std::_Exit(kFailed);
}

bool is_out_of_memory() {
  if (!std::current_exception()) return false;
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
    return false;
  }
}

// Some destructors allocate, those of JSON documents among them, and no destructor may throw. Where
// memory is missing, this is the end of a run as any other is, not a fault in the program.
[[noreturn]] void on_terminate() {
  if (!is_out_of_memory()) std::abort();
  set_action(SIGPIPE, SIG_IGN);
  end_commands_in_signal_handler();
  const bool has_removed = remove_temporaries_in_signal_handler() > 0;
  print({"pqw: out of memory", has_removed ? "; the output is as it was\n" : "\n"});
  std::_Exit(kFailed);
}

// A stack that has overflowed has no room for a handler.
void use_another_stack() {
  alignas(16) static std::array<char, 1 << 16> memory;
  stack_t stack = {};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  (void)::sigaltstack(&stack, nullptr);
}

}  // namespace

void adapt_limits() {
  get_signal_before_cpu_limit();
  require_stack();
}

void leave_nothing_behind() {
  use_another_stack();
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction before = {};
    if (is_one_of(signal, kOthers) || ::sigaction(signal, nullptr, &before) != 0) continue;
    // Keep ignored signals ignored, and handlers of a sanitizer in place.
    if (before.sa_handler != SIG_DFL) continue;
    set_action(signal, signal == SIGXFSZ ? SIG_IGN : on_fatal_signal);
  }
  std::atexit(at_exit);
  std::set_terminate(on_terminate);
}

}  // namespace pqw::tool
