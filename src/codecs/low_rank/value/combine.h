// Computes a row of a low-rank matrix from a row of its outer factor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "codecs/float_range.h"

namespace pqw {

// to = Σ_k outer[k] V[k], the sums over k in order. row_of(k) is row k of the inner factor V, valid
// until the next call. Near the limits of float a sum may overflow although its result is in the
// range, or lose bits to underflow. Then it is computed in double.
template <class RowOf>
void combine_rows(std::span<const float> outer, const RowOf& row_of, std::span<float> to) {
  std::ranges::fill(to, 0.0f);
  for (std::size_t k = 0; k < outer.size(); ++k) {
    const float scale = outer[k];
    const float* from = row_of(k);
    for (std::size_t c = 0; c < to.size(); ++c) to[c] += scale * from[c];
  }
  if (is_well_inside(largest_magnitude(to))) return;
  constexpr std::size_t kColumns = 512;
  for (std::size_t first = 0; first < to.size(); first += kColumns) {
    const std::size_t n = std::min(kColumns, to.size() - first);
    double sums[kColumns] = {};
    for (std::size_t k = 0; k < outer.size(); ++k) {
      const float* from = row_of(k) + first;
      for (std::size_t c = 0; c < n; ++c) sums[c] += static_cast<double>(outer[k]) * from[c];
    }
    std::transform(sums, sums + n, to.begin() + static_cast<std::ptrdiff_t>(first), saturated);
  }
}

}  // namespace pqw
