// The contenders of the EM benchmark, and one measured run.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bench/em_job.h"
#include "bench/em_process.h"

namespace pqw::bench {

struct Contender {
  std::string name;        // in the report
  std::string job_name;    // what the child is asked for
  bool in_python = false;  // em_peers.py, or this program
  std::size_t iterations = 0;
  Environment environment;
  double max_excess = 0;  // of its codes over the nearest centroids (em_answer.h)
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

// The JSON text of em_estep.h, from a child with one thread. Errors: std::runtime_error.
std::string run_estep(const Programs& programs, Job job, double timeout_s);

}  // namespace pqw::bench
