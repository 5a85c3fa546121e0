// The cost of a product with a decoded weight, as PackedProduct computes it.
#pragma once

#include <cstddef>

#include "kernels/lookup.h"
#include "kernels/product.h"

namespace pqw {

// Cycles of one thread for `batch` rows of x.
inline double dense_cycles(std::size_t batch, std::size_t rows, std::size_t cols,
                           const kernels::ProductKernels& kernels) {
  constexpr double kAlone = 2.5;         // of a row of x that is multiplied alone, in rows
  constexpr double kReadCycles = 0.15;   // a float of the weight, for a tile of x
  constexpr double kWriteCycles = 0.25;  // a value of y
  const std::size_t vectors = (rows + kernels.lanes - 1) / kernels.lanes;
  const auto floats = static_cast<double>(vectors * kernels.lanes) * static_cast<double>(cols);
  const std::size_t n_tiles = (batch + kernels::kTileRows - 1) / kernels::kTileRows;
  const double n = static_cast<double>(batch) + (batch % 2 == 1 ? kAlone - 1 : 0);
  return n * floats / static_cast<double>(kernels.lanes) * kernels.cycles.decoded_per_vector +
         static_cast<double>(n_tiles) * floats * kReadCycles +
         static_cast<double>(batch) * static_cast<double>(rows) * kWriteCycles;
}

}  // namespace pqw
