// The cost of a product with a decoded weight, as PackedProduct computes it.
#pragma once

#include <cstddef>

#include "kernels/product.h"

namespace pqw {

// Cycles of one thread for `batch` rows of x.
inline double dense_cycles(std::size_t batch, std::size_t rows, std::size_t cols,
                           const kernels::ProductKernels& kernels) {
  constexpr double kAlone = 2.5;        // of a row of x that is multiplied alone, in rows
  constexpr double kCopyCycles = 0.25;  // a value of y
  const auto vectors = static_cast<double>((rows + kernels.lanes - 1) / kernels.lanes);
  const double n = static_cast<double>(batch) + (batch % 2 == 1 ? kAlone - 1 : 0);
  return n * vectors * static_cast<double>(cols) * kernels.cycles.decoded_per_vector +
         static_cast<double>(batch) * static_cast<double>(rows) * kCopyCycles;
}

}  // namespace pqw
