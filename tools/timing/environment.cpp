// The environment that OpenMP reads before main does.
#include <stdlib.h>

#include <cstdlib>
#include <string>

#include "timing/threads.h"

namespace pqw::timing {
namespace {

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

// Idle OpenMP threads spin by default. On shared cores they take time from the threads that work: a
// run can take minutes instead of seconds.
void let_idle_threads_sleep() {
  if (!is_set("GOMP_SPINCOUNT")) ::setenv("OMP_WAIT_POLICY", "passive", 0);
}

// When contenders take turns, the idle threads of each wait actively for a moment, as they do in a
// program that runs this contender alone. They sleep before the next turn is timed.
void let_threads_wait_briefly() {
  if (!is_set("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "20000", 0);
  ::setenv("OPENBLAS_THREAD_TIMEOUT", "18", 0);  // 2^18 cycles
}

// GCC's OpenMP reads its variables in a constructor. This constructor has the first priority that
// programs may use, and OpenMP is linked statically (tools/CMakeLists.txt), so this one runs first.
// glibc passes it the arguments of main.
[[gnu::constructor(101)]] void set_variables(int argc, char** argv) {
  ::setenv("OMP_STACKSIZE", (std::to_string(kThreadStackBytes) + "B").c_str(), 1);
  if (contenders_take_turns(argc, argv)) {
    let_threads_wait_briefly();
  } else {
    let_idle_threads_sleep();
  }
}

}  // namespace
}  // namespace pqw::timing
