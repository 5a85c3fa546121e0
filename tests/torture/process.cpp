// Child processes that may be killed.
#include "tests/torture/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pqw::torture {

pid_t start(const std::vector<std::string>& command, const std::vector<std::string>& variables,
            const std::string& folder, unsigned most_seconds,
            const std::function<void()>& prepare) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::alarm(most_seconds);
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  }
  ::dup2(::open((folder + "/stdout").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
  ::dup2(::open((folder + "/stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  prepare();
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

int finish(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace pqw::torture
