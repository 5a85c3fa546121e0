// One measured child process.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pqw::bench {

// Variables to set, or to unset where the value is empty; the others are inherited.
using Environment = std::map<std::string, std::optional<std::string>>;

struct ProcessResult {
  bool timed_out = false;
  int exit_code = 0;  // 128 + signal when one ended it
  double cpu_s = 0;   // user and system time of all its threads, start and exit included
  double wall_s = 0;
};

// Runs a program to its end, or kills it at the timeout. Its standard output is dropped. The
// environment is in place before the program starts, as OpenMP and BLAS libraries require.
// Errors: std::runtime_error.
ProcessResult run_process(const std::vector<std::string>& command, const Environment& environment,
                          double timeout_s);

}  // namespace pqw::bench
