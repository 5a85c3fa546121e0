// Measures the peak of the processor: fused multiply-adds of floats in registers.
#pragma once

#include <cstddef>

namespace pqw::bench {

struct Peak {
  const char* instructions;
  // Runs n_steps rounds of independent multiply-adds of whole vectors, returns how many
  // multiply-adds of single floats that were, and stores a value that depends on all of them.
  double (*multiply_add)(std::size_t n_steps, volatile float* sink);
};

// With the widest vectors of this processor.
Peak best_peak();

}  // namespace pqw::bench
