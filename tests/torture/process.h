// Child processes that may be killed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace pqw::torture {

// Starts a program with variables added to the environment ("NAME=value"), its output going to
// files of `folder`: "stdout", "stderr". `prepare` runs in the process that becomes the program.
pid_t start(
    const std::vector<std::string>& command, const std::vector<std::string>& variables,
    const std::string& folder, unsigned most_seconds = 120,
    const std::function<void()>& prepare = [] {});

// Exit code, or 128 + signal: SIGALRM for what took too long.
int finish(pid_t child);

}  // namespace pqw::torture
