// The sides of a weight that is seen as a matrix.
#include "pqw/core/matrix.h"

#include "core/subject.h"
#include "pqw/core/tensor.h"

namespace pqw {

MatrixShape matrix_shape(std::span<const std::size_t> shape) {
  if (shape.size() < 2) {
    throw Subject{}.error(ErrorCode::kInvalidArgument,
                          "shape {} has rank {}; a weight needs rank 2 or more", to_string(shape),
                          shape.size());
  }
  return {shape[0], element_count(shape.subspan(1))};
}

}  // namespace pqw
