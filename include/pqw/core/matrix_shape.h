// The sides of a weight that is seen as a matrix.
#pragma once

#include <cstddef>
#include <span>

namespace pqw {

// A weight of rank >= 2 seen as a matrix: [out, in, k...] is flattened to rows = out and
// cols = in*k*..., an embedding [n, dim] is rows = n, cols = dim.
struct MatrixShape {
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// Errors: kInvalidArgument for a rank below 2 or a shape that overflows.
MatrixShape matrix_shape(std::span<const std::size_t> shape);

}  // namespace pqw
