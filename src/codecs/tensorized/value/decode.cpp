// Decoding tensorized weights.
#include <algorithm>
#include <cassert>

#include "codecs/tensorized/value/each_row.h"

namespace pqw {

void decode(const TensorizedWeight& weight, MutableMatrix out) { decode_rows(weight, 0, out); }

void decode_rows(const TensorizedWeight& weight, std::size_t first, MutableMatrix out) {
  assert(out.cols() == matrix_shape(weight.shape).cols);
  assert(first + out.rows() <= matrix_shape(weight.shape).rows);
  const tensorized::Factors factors = tensorized::decode_factors(weight);
  tensorized::for_each_row(factors, first, out.rows(), out.cols(),
                           [&](std::size_t r, const auto& row) {
                             std::copy_n(row.begin(), out.cols(), out.row(r).begin());
                           });
}

}  // namespace pqw
