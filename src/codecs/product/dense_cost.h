// The cost of a product with a decoded weight, as plain_product.cpp computes it.
#pragma once

#include <cstddef>

#include "kernels/product.h"

namespace pqw {

// Rows of x up to which plain_product.cpp multiplies one after the other: too few to fill vectors with.
inline constexpr std::size_t kFewDenseRows = 4;

// Cycles of one thread for `batch` rows of x: a few of them one after the other, or many side by
// side.
inline double dense_cycles(std::size_t batch, std::size_t rows, std::size_t cols,
                           const kernels::ProductKernels& kernels) {
  constexpr double kFloatCycles = 0.2;  // a float of a weight with a row of x
  constexpr double kCopyCycles = 1;     // a value of x or y
  const double values = static_cast<double>(rows) * static_cast<double>(cols);
  const auto n = static_cast<double>(batch);
  if (batch <= kFewDenseRows) return n * values * kFloatCycles;
  const auto vectors = static_cast<double>((batch + kernels.lanes - 1) / kernels.lanes);
  return vectors * values * kernels.cycles.decoded_per_vector +
         n * static_cast<double>(rows + cols) * kCopyCycles;
}

}  // namespace pqw
