// A view of the blocks that share a codebook, with their weights, for the EM functions.
#pragma once

#include <cstddef>
#include <span>

namespace pqw {

// Layout: float[positions][rows][d]; only weights need the numbers of positions and rows.
struct BlockSpan {
  std::span<const float> values;
  std::size_t d = 1;

  std::size_t count() const { return values.size() / d; }
  const float* operator[](std::size_t i) const { return values.data() + i * d; }
};

// Column j of the block at position p of row r counts rows[r] * columns[p * d + j].
struct BlockWeights {
  std::size_t n_rows = 0;          // blocks per position; needed when one of these is not empty:
  std::span<const float> rows;     // [n_rows], or empty: all 1
  std::span<const float> columns;  // [positions][d], or empty: all 1

  float of_row(std::size_t i) const { return rows.empty() ? 1.0f : rows[i % n_rows]; }
  // The factors of the columns of block i, float[d]. REQUIRES: columns are not empty.
  const float* of_columns(std::size_t i, std::size_t d) const {
    return columns.data() + i / n_rows * d;
  }
};

}  // namespace pqw
