// Runs a command of the user by the shell, and reads the number that it prints.
#include "cli/shell_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/next_command.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw::tool {
namespace {

// Process groups of the commands that run; 0: free.
constexpr std::size_t kMostCommands = 64;
std::array<std::atomic<pid_t>, kMostCommands> running;

[[noreturn]] void fail(const std::string& action, int error) {
  throw Error(ErrorCode::kIo, fmt::format("cannot {}: {}", action, std::strerror(error)));
}

// A file in memory that gets the output of a command.
class Capture {
 public:
  Capture() : fd_(::memfd_create("output", MFD_CLOEXEC)) {
    if (fd_ < 0) fail("make a file in memory for the output of a command", errno);
  }
  ~Capture() { ::close(fd_); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  int fd() const { return fd_; }

  // At most so many bytes.
  std::string end(std::size_t most) const {
    const off_t size = ::lseek(fd_, 0, SEEK_END);
    const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(most));
    std::string text(static_cast<std::size_t>(std::max<off_t>(0, size - begin)), '\0');
    const ssize_t n = ::pread(fd_, text.data(), text.size(), begin);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, n)));
    return text;
  }

 private:
  int fd_;
};

// A variable that this tool has set for its own threads is not for commands.
std::vector<char*> environment_of_commands() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("OMP_STACKSIZE=")) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

// Starts the shell in a process group of its own, so that all that it starts can be ended.
pid_t start(const std::string& command, const Capture& out, const Capture& err) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.fd(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.fd(), STDERR_FILENO);
  sigset_t ignored;  // by this tool, not by commands
  ::sigemptyset(&ignored);
  ::sigaddset(&ignored, SIGXFSZ);
  ::posix_spawnattr_setsigdefault(&attributes, &ignored);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh", flag = "-c", text = command;
  std::array<char*, 4> arguments = {shell.data(), flag.data(), text.data(), nullptr};
  std::vector<char*> environment = environment_of_commands();
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) fail("start /bin/sh", error);
  return pid;
}

int wait_for(pid_t pid) {
  const auto free = std::ranges::find_if(running, [&](std::atomic<pid_t>& slot) {
    pid_t expected = 0;
    return slot.compare_exchange_strong(expected, pid);
  });
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) fail("wait for a command", errno);
  }
  if (free != running.end()) *free = 0;
  return status;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

std::optional<double> number_in(std::string_view line) {
  line = trimmed(line);
  if (line.starts_with('+')) line.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error == std::errc::invalid_argument || end != line.data() + line.size()) return std::nullopt;
  // Out of the range of double: infinity or 0.
  return error == std::errc() ? value : std::strtod(std::string(line).c_str(), nullptr);
}

std::optional<double> last_number(std::string_view text) {
  while (!text.empty()) {
    const std::size_t begin = text.rfind('\n') + 1;  // 0 if there is none
    if (const auto number = number_in(text.substr(begin))) return number;
    text = text.substr(0, begin == 0 ? 0 : begin - 1);
  }
  return std::nullopt;
}

// The last lines of what the command printed, as the end of a message.
std::string end_of(const Capture& out, const Capture& err) {
  constexpr std::size_t kMost = 400;
  std::string text(trimmed(err.end(kMost)));
  if (text.empty()) text = trimmed(out.end(kMost));
  if (text.empty()) return "; it printed nothing";
  return "; it printed last: " + printable(text);
}

}  // namespace

std::string command_for_path(const std::string& command, const std::string& path) {
  constexpr std::size_t kLength = sizeof(kPathMark) - 1;
  std::string text;
  for (std::size_t at = 0;;) {
    const std::size_t mark = command.find(kPathMark, at);
    text += command.substr(at, mark - at);
    if (mark == command.npos) return text;
    text += quoted_for_shell(path);
    at = mark + kLength;
  }
}

double number_from(const std::string& command) {
  constexpr std::size_t kMost = 1 << 16;  // the end of the output that is searched for a number
  const Capture out, err;
  const int status = wait_for(start(command, out, err));
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the command {}{}: {}", what, end_of(out, err), printable(command)));
  };
  if (WIFSIGNALED(status)) refuse(fmt::format("was ended by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) refuse(fmt::format("ended with exit code {}", WEXITSTATUS(status)));
  const auto number = last_number(out.end(kMost));
  if (!number) refuse("printed no line that is a number");
  if (!std::isfinite(*number)) refuse(fmt::format("printed the score {}", *number));
  return *number;
}

void end_commands_in_signal_handler() noexcept {
  for (const std::atomic<pid_t>& slot : running) {
    if (const pid_t group = slot; group > 0) (void)::kill(-group, SIGTERM);
  }
}

}  // namespace pqw::tool
