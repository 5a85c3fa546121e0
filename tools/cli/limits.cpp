// Limits of the process that would end the tool without a message.
#include "cli/limits.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <string>

#include "pqw/core/error.h"

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

}  // namespace

void adapt_limits() {
  get_signal_before_cpu_limit();
  require_stack();
}

}  // namespace pqw::tool
