// The E-step alone, against the peak of the processor, and the share of the M-step.
#pragma once

#include "bench/em_job.h"

namespace pqw::bench {

// Measures assign() on the job's blocks and every N/K-th of them as a centroid, in turns with the
// peak, on this thread's CPU clock; OpenMP must have been told to use one thread. Writes to
// <answer>.json: {"gmac_per_s", "peak_gmac_per_s", "peak_instructions", "fraction", "m_step_share",
// "rounds"}, of
// which the rates are medians. A MAC is one of the N * K * d multiply-adds of the exhaustive
// search, needed or not. Errors: std::exception.
void measure_estep(const Job& job);

}  // namespace pqw::bench
