// Child processes that may be killed.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace pqw::torture {

// Starts a program with variables added to the environment ("NAME=value"), its output going to
// files of `folder`: "stdout", "stderr".
pid_t start(const std::vector<std::string>& command, const std::vector<std::string>& variables,
            const std::string& folder);

// Exit code, or 128 + signal. What takes longer than 120 s is killed.
int finish(pid_t child);

}  // namespace pqw::torture
