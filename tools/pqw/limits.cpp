// Limits of the process that would end the tool without a message.
#include "pqw/limits.h"

#include <sys/resource.h>

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

void get_signal_before_cpu_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur != limit.rlim_max) return;
  if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max < 2) return;
  limit.rlim_cur = limit.rlim_max - 1;
  (void)::setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace

void adapt_limits() {
  get_signal_before_cpu_limit();
  require_stack();
}

}  // namespace pqw::tool
