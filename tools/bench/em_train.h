// The contenders of our own process: `pqw` and FAISS.
#pragma once

#include "bench/em_job.h"

namespace pqw::bench {

// Runs the job's contender ("pqw" or "faiss") in this process and writes its answer.
// Errors: pqw::Error, std::exception.
void train(const Job& job);

}  // namespace pqw::bench
