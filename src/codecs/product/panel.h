// Puts rows of x side by side in the lanes of vectors, for the product kernels.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/lookup.h"
#include "pqw/core/matrix.h"

namespace pqw {

// panel[column][lane] = x[first + lane][column]; lanes without a row are zero.
inline void transpose(ConstMatrix x, std::size_t first, std::size_t n_rows, std::size_t n_lanes,
                      float* panel) {
  constexpr std::size_t kColumns = 64;
  for (std::size_t c0 = 0; c0 < x.cols(); c0 += kColumns) {
    const std::size_t c1 = std::min(x.cols(), c0 + kColumns);
    for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      if (lane < n_rows) {
        const float* row = x.row(first + lane).data();
        for (std::size_t c = c0; c < c1; ++c) panel[c * n_lanes + lane] = row[c];
      } else {
        for (std::size_t c = c0; c < c1; ++c) panel[c * n_lanes + lane] = 0;
      }
    }
  }
}

// Copies rows first .. first+n-1 of a tile out of sums[64][lanes].
inline void write_tile(const float* sums, std::size_t tile, std::size_t first,
                       std::size_t first_row, std::size_t n_rows, std::size_t n_lanes,
                       MutableMatrix y) {
  const std::size_t from = std::max(tile * kernels::kTileRows, first);
  const std::size_t to = std::min((tile + 1) * kernels::kTileRows, first + y.cols());
  for (std::size_t lane = 0; lane < n_rows; ++lane) {
    float* out = y.row(first_row + lane).data();
    for (std::size_t r = from; r < to; ++r) {
      out[r - first] = sums[(r - tile * kernels::kTileRows) * n_lanes + lane];
    }
  }
}

}  // namespace pqw
