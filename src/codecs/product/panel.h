// Puts rows of x side by side in the lanes of vectors, for the product kernels.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "kernels/lookup.h"
#include "pqw/core/matrix.h"

namespace pqw {

// The codes of a tile of floats, for ProductKernels::multiply_decoded: each row is its own centroid,
// which is as long as the row.
inline constexpr auto kOwnRows = [] {
  std::array<std::uint16_t, kernels::kTileRows> codes{};
  std::iota(codes.begin(), codes.end(), std::uint16_t{0});
  return codes;
}();

// to[j][i] = from[i][j] of 4 x 4 floats; rows are the strides apart.
inline void transpose_four(const float* from, std::size_t from_stride, float* to,
                           std::size_t to_stride) {
  using Four = float __attribute__((vector_size(16)));
  Four rows[4];
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(&rows[i], from + i * from_stride, sizeof(Four));
  const Four low01 = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const Four high01 = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const Four low23 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const Four high23 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  const Four columns[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                           __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                           __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                           __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (std::size_t j = 0; j < 4; ++j) std::memcpy(to + j * to_stride, &columns[j], sizeof(Four));
}

// to[j][i] = from[i][j], i < n_i, j < n_j.
inline void transpose_floats(const float* from, std::size_t from_stride, std::size_t n_i,
                             std::size_t n_j, float* to, std::size_t to_stride) {
  const std::size_t whole_i = n_i / 4 * 4, whole_j = n_j / 4 * 4;
  for (std::size_t i = 0; i < whole_i; i += 4) {
    for (std::size_t j = 0; j < whole_j; j += 4) {
      transpose_four(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    }
  }
  for (std::size_t i = 0; i < n_i; ++i) {
    for (std::size_t j = i < whole_i ? whole_j : 0; j < n_j; ++j) {
      to[j * to_stride + i] = from[i * from_stride + j];
    }
  }
}

// panel[column][lane] = x[first + lane][column]; lanes without a row are zero.
inline void transpose(ConstMatrix x, std::size_t first, std::size_t n_rows, std::size_t n_lanes,
                      float* panel) {
  constexpr std::size_t kColumns = 64;  // whose part of the panel stays in the L1 cache
  for (std::size_t c = 0; c < x.cols(); c += kColumns) {
    transpose_floats(x.row(first).data() + c, x.stride(), n_rows, std::min(kColumns, x.cols() - c),
                     panel + c * n_lanes, n_lanes);
  }
  for (std::size_t c = 0; c < x.cols() && n_rows < n_lanes; ++c) {
    std::fill(panel + c * n_lanes + n_rows, panel + (c + 1) * n_lanes, 0.0f);
  }
}

// Copies rows first .. first+n-1 of a tile out of sums[64][lanes].
inline void write_tile(const float* sums, std::size_t tile, std::size_t first,
                       std::size_t first_row, std::size_t n_rows, std::size_t n_lanes,
                       MutableMatrix y) {
  const std::size_t begin = tile * kernels::kTileRows;
  const std::size_t from = std::max(begin, first);
  const std::size_t to = std::min(begin + kernels::kTileRows, first + y.cols());
  transpose_floats(sums + (from - begin) * n_lanes, n_lanes, to - from, n_rows,
                   y.row(first_row).data() + (from - first), y.stride());
}

}  // namespace pqw
