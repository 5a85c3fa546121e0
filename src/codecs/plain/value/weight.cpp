// Weights kept as they were: sizes and decoding.
#include <cassert>

#include "pqw/codecs/plain.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/core/matrix_shape.h"

namespace pqw {
namespace {

void require_float(const PlainWeight& weight) {
  if (is_compressible(weight.dtype)) return;
  throw Error(ErrorCode::kInvalidArgument, "a plain weight of type " +
                                               std::string(to_string(weight.dtype)) +
                                               " cannot be used as a float matrix");
}

}  // namespace

std::size_t size_in_bits(const PlainWeight& weight) { return weight.bytes.size() * 8; }

std::size_t parameter_count(const PlainWeight& weight) { return element_count(weight.shape); }

std::string summary(const PlainWeight&) { return ""; }

void decode(const PlainWeight& weight, MutableMatrix out) { decode_rows(weight, 0, out); }

void decode_rows(const PlainWeight& weight, std::size_t first, MutableMatrix out) {
  require_float(weight);
  const MatrixShape matrix = matrix_shape(weight.shape);
  assert(first + out.rows() <= matrix.rows && out.cols() == matrix.cols);
  const std::size_t row_bytes = matrix.cols * size_in_bytes(weight.dtype);
  const std::span<const std::byte> bytes(weight.bytes);
  for (std::size_t r = 0; r < out.rows(); ++r) {
    to_float(bytes.subspan((first + r) * row_bytes, row_bytes), weight.dtype, out.row(r));
  }
}

}  // namespace pqw
