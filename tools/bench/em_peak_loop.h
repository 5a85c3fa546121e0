// The loop behind em_peak_*.cpp, each of which compiles it for its own instructions.
#pragma once

#include "bench/em_peak.h"

namespace pqw::bench {

// Isa has a type Vector, kLanes, and functions set(float), multiply_add(a, b, c) = a * b + c and
// sum(v). It must be in an unnamed namespace: one instantiation per file.
template <class Isa>
double multiply_add_loop(std::size_t n_steps, volatile float* sink) {
  // Not known to the compiler; x -> 0.5 x + 1 stays in the normal range.
  volatile float factor_value = 0.5F;
  volatile float addend_value = 1.0F;
  const auto factor = Isa::set(factor_value);
  const auto addend = Isa::set(addend_value);
  typename Isa::Vector chains[kPeakChains];
  for (std::size_t c = 0; c < kPeakChains; ++c) chains[c] = Isa::set(static_cast<float>(c));
  for (std::size_t i = 0; i < n_steps; ++i) {
#pragma GCC unroll 12
    for (std::size_t c = 0; c < kPeakChains; ++c) {
      chains[c] = Isa::multiply_add(chains[c], factor, addend);
    }
  }
  float total = 0;
#pragma GCC unroll 12
  for (std::size_t c = 0; c < kPeakChains; ++c) total += Isa::sum(chains[c]);
  *sink = total;
  return static_cast<double>(n_steps * kPeakChains * Isa::kLanes);
}

}  // namespace pqw::bench
