// One measured child process: fork, exec, wait4.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "bench/em_contenders.h"

namespace pqw::bench {
namespace {

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
}

[[noreturn]] void become(const std::vector<std::string>& command, const Environment& environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // an interrupted driver leaves no child behind
  for (const auto& [name, value] : environment) {
    if (value) {
      ::setenv(name.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name.c_str());
    }
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, const Environment& environment,
                          double timeout_s) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto elapsed_s = [start] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(command, environment);

  ProcessResult result;
  int status = 0;
  struct rusage usage {};
  while (true) {
    const pid_t ended = ::wait4(child, &status, WNOHANG, &usage);
    if (ended == child) break;
    if (ended < 0) throw std::runtime_error("cannot wait for " + command[0]);
    if (!result.timed_out && elapsed_s() > timeout_s) {
      result.timed_out = true;
      ::kill(child, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  result.wall_s = elapsed_s();
  result.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace pqw::bench
