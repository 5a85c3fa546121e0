// The sides of a weight that is seen as a matrix.
#include "pqw/core/matrix_shape.h"

#include "pqw/core/error.h"
#include "pqw/core/tensor.h"

namespace pqw {

MatrixShape matrix_shape(std::span<const std::size_t> shape) {
  if (shape.size() < 2) {
    throw Error(ErrorCode::kInvalidArgument, "shape " + to_string(shape) + " has rank " +
                                                 std::to_string(shape.size()) +
                                                 "; a weight needs rank 2 or more");
  }
  return {shape[0], element_count(shape.subspan(1))};
}

}  // namespace pqw
