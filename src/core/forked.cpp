// Child processes of programs that fork without exec.
#include "core/forked.h"

#include <pthread.h>

namespace pqw {
namespace {

thread_local bool forked = false;

const int registered = ::pthread_atfork(nullptr, nullptr, [] { forked = true; });

}  // namespace

bool is_forked_thread() { return registered == 0 && forked; }

}  // namespace pqw
