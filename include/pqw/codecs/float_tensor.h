// A checked tensor of floats: the input of every codec.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/core/matrix.h"
#include "pqw/core/tensor.h"

namespace pqw {

struct FloatTensor {
  TensorInfo info;            // name and type of the original, and its shape: rank 2 or more
  std::vector<float> values;  // row-major; all finite

  // [out, in, k...] as [out, in*k*...].
  ConstMatrix matrix() const {
    const MatrixShape shape = matrix_shape(info.shape);
    return {values.data(), shape.rows, shape.cols};
  }
};

// Errors: kInvalidArgument for a rank below 2 or a type that is not a float type; kNonFinite for
// NaN or infinity (also a double beyond the range of float), with the name, their number and the
// index of the first; kUnsupported when all doubles are too small for float.
// REQUIRES: bytes.size() == byte_count(info).
FloatTensor read_floats(const TensorInfo& info, std::span<const std::byte> bytes);

// Throws kNonFinite, as above. `name` is for the message.
void require_finite(ConstMatrix w, const std::string& name);

}  // namespace pqw
