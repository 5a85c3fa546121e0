// The sandbox of a process that reads a hostile file.
#include "isolate/sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace pqw {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned kMachine = 0;
#endif

// The system calls for reading and locking an open file, memory, clocks, answering and exit.
constexpr std::array kAllowed{
    SYS_read,         SYS_pread64,        SYS_write,      SYS_sendto,        SYS_recvfrom,
    SYS_lseek,        SYS_fstat,          SYS_newfstatat, SYS_brk,           SYS_mmap,
    SYS_munmap,       SYS_mremap,         SYS_mprotect,   SYS_madvise,       SYS_futex,
    SYS_getpid,       SYS_gettid,         SYS_getrandom,  SYS_clock_gettime, SYS_gettimeofday,
    SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_tgkill,     SYS_exit,          SYS_exit_group,
    SYS_flock};

void close_range(unsigned first, unsigned last) noexcept {
  if (first > last || ::syscall(SYS_close_range, first, last, 0u) == 0) return;
  // An old kernel or a container may not have the call: close descriptors one by one.
  rlimit open_files{};
  (void)::getrlimit(RLIMIT_NOFILE, &open_files);
  constexpr rlim_t kMost = 1 << 20;
  last = std::min(last, static_cast<unsigned>(std::min(open_files.rlim_max, kMost)));
  for (unsigned descriptor = first; descriptor <= last; ++descriptor) {
    (void)::close(static_cast<int>(descriptor));
  }
}

void close_others(unsigned a, unsigned b) noexcept {
  if (a > b) std::swap(a, b);
  if (a > 0) close_range(0, a - 1);
  close_range(a + 1, b - 1);
  close_range(b + 1, UINT_MAX);
}

bool set_to_zero(__rlimit_resource resource) noexcept {
  const rlimit none{0, 0};
  return ::setrlimit(resource, &none) == 0;
}

// Also true if the kernel has no filters: the other limits remain.
// Layout of a classic BPF program: load the machine, refuse another one; load the number of the
// call, jump to "allow" when it is in the list, refuse otherwise.
bool filter_system_calls() noexcept {
  constexpr std::size_t kHead = 4, kTail = 2;
  std::array<sock_filter, kHead + kAllowed.size() + kTail> program{};
  const auto load = [](std::size_t offset) {
    return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(offset)};
  };
  const auto unless_equal = [](unsigned value, std::size_t yes, std::size_t no) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned char>(yes),
                       static_cast<unsigned char>(no), value};
  };
  const auto answer = [](unsigned value) { return sock_filter{BPF_RET | BPF_K, 0, 0, value}; };
  program[0] = load(offsetof(seccomp_data, arch));
  program[1] = unless_equal(kMachine, 1, 0);
  program[2] = answer(SECCOMP_RET_KILL_PROCESS);
  program[3] = load(offsetof(seccomp_data, nr));
  for (std::size_t i = 0; i < kAllowed.size(); ++i) {
    const std::size_t to_allow = kAllowed.size() - i;  // over the rest and the refusal
    program[kHead + i] = unless_equal(static_cast<unsigned>(kAllowed[i]), to_allow, 0);
  }
  program[kHead + kAllowed.size()] = answer(SECCOMP_RET_ERRNO | EPERM);
  program[kHead + kAllowed.size() + 1] = answer(SECCOMP_RET_ALLOW);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 || errno == EINVAL;
}

}  // namespace

bool has_sanitizer() noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
  return true;
#else
  return false;
#endif
}

const char* enter_sandbox(int descriptor_a, int descriptor_b) noexcept {
  for (int signal = 1; signal < NSIG; ++signal) (void)std::signal(signal, SIG_DFL);
  // What a terminal sends to all is for the parent to act upon; the child ends with it.
  for (const int signal : {SIGINT, SIGQUIT, SIGHUP}) (void)std::signal(signal, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  close_others(static_cast<unsigned>(descriptor_a), static_cast<unsigned>(descriptor_b));
  if (!set_to_zero(RLIMIT_FSIZE)) return "setrlimit(RLIMIT_FSIZE)";
  if (!set_to_zero(RLIMIT_CORE)) return "setrlimit(RLIMIT_CORE)";
  // Sanitizers open pipes to find out whether memory can be read.
  if (!has_sanitizer() && !set_to_zero(RLIMIT_NOFILE)) return "setrlimit(RLIMIT_NOFILE)";
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "prctl(PR_SET_NO_NEW_PRIVS)";
  if (has_sanitizer() || kMachine == 0) return nullptr;
  return filter_system_calls() ? nullptr : "prctl(PR_SET_SECCOMP)";
}

}  // namespace pqw
