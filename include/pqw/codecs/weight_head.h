// The base class of the weights of all codecs.
#pragma once

#include <cstddef>
#include <string>

#include "pqw/core/dtype.h"
#include "pqw/core/matrix.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Only this type decides how a tensor is seen as a matrix.
struct WeightHead {
  Shape shape = {};           // [out, in, kernel...]: canonical (core/layout.h)
  DType dtype = DType::kF32;  // of the original tensor
  std::string options = {};   // how it was made, "key=value,key=value"

  // [out, in, k...] as [out, in*k*...]. Errors: kInvalidArgument for a rank below 2.
  MatrixShape matrix() const { return matrix_shape(shape); }
  std::size_t rows() const { return matrix().rows; }
  std::size_t cols() const { return matrix().cols; }
};

}  // namespace pqw
