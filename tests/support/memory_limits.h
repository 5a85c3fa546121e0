// Whether the system limits the memory of a process. An emulator of a processor may not.
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

namespace pqw::test {

inline constexpr const char* kNoMemoryLimits =
    "this system, such as an emulator, does not limit memory";

// A child tries.
inline bool can_limit_memory() {
#ifdef __x86_64__
  return true;
#else
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_AS, &none);
    constexpr std::size_t kBytes = std::size_t{1} << 24;
    void* const memory = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::_exit(memory == MAP_FAILED ? 0 : 1);
  }
  int status = 1;
  return ::waitpid(child, &status, 0) == child && status == 0;
#endif
}

}  // namespace pqw::test
