// The environment that the libraries beneath the tool read before main does.
#include "pqw/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace pqw::tool {
namespace {

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

bool set_if_missing(const char* name, const char* value) {
  if (value == nullptr || is_set(name)) return false;
  return ::setenv(name, value, 0) == 0;
}

// Idle OpenMP threads spin by default, and where cores are shared they take from those that work:
// minutes instead of seconds have been seen.
bool let_idle_threads_sleep() {
  if (is_set("OMP_WAIT_POLICY") || is_set("GOMP_SPINCOUNT")) return false;
  return set_if_missing("OMP_WAIT_POLICY", "passive");
}

// Where contenders take turns, the idle threads of both wait actively for a moment, as they would
// in a program that calls nothing else, and are asleep before the next turn is timed.
bool let_threads_wait_briefly() {
  bool changed = false;
  if (!is_set("OMP_WAIT_POLICY")) changed |= set_if_missing("GOMP_SPINCOUNT", "20000");
  changed |= set_if_missing("OPENBLAS_THREAD_TIMEOUT", "18");  // 2^18 cycles
  return changed;
}

// The fastest kernels of OpenBLAS for this processor. OpenBLAS takes one that is newer than itself
// for an old one, and may then be ten times slower than it could.
const char* best_blas_core() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd")) {
    return "SkylakeX";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

}  // namespace

void restart_with_environment(char** argv) {
  const bool bench = argv[0] != nullptr && argv[1] != nullptr && std::strcmp(argv[1], "bench") == 0;
  bool changed = bench ? let_threads_wait_briefly() : let_idle_threads_sleep();
  changed |= set_if_missing("OPENBLAS_CORETYPE", best_blas_core());
  if (changed) ::execv("/proc/self/exe", argv);
}

}  // namespace pqw::tool
