// System calls that this process may not make, as in a container.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace pqw::test {

// From now on these calls fail with that error, in this process and in all that come of it. Returns
// whether the kernel can do that.
inline bool deny_calls(const std::vector<long>& numbers, int error) {
  std::vector<sock_filter> program = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(offsetof(seccomp_data, nr))}};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto to_refusal = static_cast<unsigned char>(numbers.size() - i);
    program.push_back(
        {BPF_JMP | BPF_JEQ | BPF_K, to_refusal, 0, static_cast<unsigned>(numbers[i])});
  }
  program.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
  program.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)});
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

inline constexpr const char* kNoFilters =
    "this system, such as an emulator, does not filter system calls";

// Whether `deny_calls` works here: a child tries. It must on x86-64.
inline bool can_deny_calls() {
#ifdef __x86_64__
  return true;
#else
  const pid_t child = ::fork();
  if (child == 0) ::_exit(deny_calls({}, EPERM) ? 0 : 1);
  int status = 1;
  return ::waitpid(child, &status, 0) == child && status == 0;
#endif
}

}  // namespace pqw::test
