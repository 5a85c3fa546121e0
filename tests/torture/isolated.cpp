// Work on many cases in child processes.
#include "tests/torture/isolated.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>

namespace pqw::torture {
namespace {

constexpr unsigned kMostSeconds = 10;

[[noreturn]] void work_in_child(int pipe, std::size_t first, std::size_t n_cases,
                                const std::function<char(std::size_t)>& work) {
  std::signal(SIGALRM, SIG_DFL);
  for (std::size_t i = first; i < n_cases; ++i) {
    ::alarm(kMostSeconds);
    const char result = work(i);
    if (::write(pipe, &result, 1) != 1) ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

Counts run_isolated(std::size_t n_cases, const std::function<char(std::size_t)>& work,
                    const std::function<std::string(std::size_t)>& describe) {
  Counts counts;
  std::size_t done = 0;
  while (done < n_cases) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    (void)std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      work_in_child(ends[1], done, n_cases, work);
    }
    ::close(ends[1]);
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
      for (ssize_t i = 0; i < n; ++i) ++counts[buffer[i]];
      done += static_cast<std::size_t>(n);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (done >= n_cases) break;
    const bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    ++counts[hung ? kHang : kCrash];
    fmt::print(stderr, "{}: {}\n", hung ? "hang" : "crash", describe(done));
    ++done;
  }
  return counts;
}

void print_row(const std::string& name, const Counts& counts,
               const std::map<char, std::string>& names) {
  std::size_t n_cases = 0;
  std::string text;
  for (const auto& [letter, count] : counts) n_cases += count;
  for (const auto& [letter, label] : names) {
    const auto found = counts.find(letter);
    text += fmt::format("  {} {}", label, found == counts.end() ? 0 : found->second);
  }
  fmt::print("{:40} {:7}{}\n", name, n_cases, text);
  (void)std::fflush(stdout);
}

}  // namespace pqw::torture
