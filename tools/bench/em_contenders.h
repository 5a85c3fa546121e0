// The contenders of the EM benchmark, one measured run in a process, and the check of its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/em_job.h"

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

struct Contender {
  std::string name;        // in the report
  std::string job_name;    // what the child is asked for
  bool in_python = false;  // em_peers.py, or this program
  std::size_t iterations = 0;
  Environment environment;
  double max_excess = 0;  // of its codes over the nearest centroids
};

// All contenders; `threads` is what OpenMP is given, 0 for all cores. `pqw` has its defaults and
// may explore on a sample, `pqw-all` works on all blocks throughout as the peers do. `faiss` has
// the environment that suits it best: OpenMP threads that sleep when they wait, a BLAS without
// threads, which would spin against each other, and OpenBLAS told what the processor is;
// `faiss-default` has none of that. The Python packages have the last of the three.
std::vector<Contender> all_contenders(std::size_t threads);

// How to start children.
struct Programs {
  std::string self;
  std::string python;
};

enum class Outcome { kDone, kTimedOut, kNotInstalled, kFailed, kWrong };

struct Run {
  Outcome outcome = Outcome::kDone;
  bool extrapolated = false;  // times scaled up from a part, no answer
  std::string note;           // what went wrong, or what is to be known
  double cpu_s = 0;           // blocks in memory to codes in memory
  double wall_s = 0;
  double process_cpu_s = 0;  // of the whole child, with loading and storing
  double objective = 0;
};

// Runs a contender on the blocks that job.blocks_path holds, then checks its answer.
Run run_contender(const Contender& contender, const Programs& programs, Job job,
                  std::span<const float> blocks, double timeout_s);

// The JSON text of measure_estep, from a child with one thread. Errors: std::runtime_error.
std::string run_estep(const Programs& programs, Job job, double timeout_s);

struct Checked {
  double objective = 0;  // Σ‖x - c(code of x)‖² over all blocks, in double
  double excess = 0;     // of the codes over the nearest centroids on a sample, as a share
  std::string problem;   // empty: the answer is right
};

// An answer is right when it has K finite centroids and a code below K for every block, and when
// the codes are those of the nearest centroids: on an evenly spaced sample, their summed squared
// distances exceed the least ones, found by a loop in double, by a share of max_excess at most.
Checked check_answer(std::span<const float> blocks, std::size_t block_size, std::size_t n_centroids,
                     std::span<const float> codebook, std::span<const std::uint16_t> codes,
                     double max_excess);

// Σ‖x‖², in double.
double squared_norm(std::span<const float> blocks);

}  // namespace pqw::bench
