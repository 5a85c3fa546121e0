// What the processor can do at most: fused multiply-adds of floats in registers.
#pragma once

#include <cstddef>

namespace pqw::bench {

// Each runs n_steps rounds of kPeakChains independent multiply-adds of whole vectors, returns how
// many multiply-adds of single floats that were, and stores a value that depends on all of them.
// REQUIRES: the processor has the instructions.
constexpr std::size_t kPeakChains = 12;  // latency 4 on two ports needs 8 or more
double multiply_add_portable(std::size_t n_steps, volatile float* sink);
double multiply_add_avx2(std::size_t n_steps, volatile float* sink);
double multiply_add_avx512(std::size_t n_steps, volatile float* sink);

}  // namespace pqw::bench
