// Decoding tensorized weights.
#include <algorithm>
#include <cassert>

#include "codecs/tensorized/value/each_row.h"

namespace pqw {

void TensorizedCodec::decode_rows(const TensorizedWeight& weight, std::size_t first,
                                  MutableMatrix out) {
  assert(out.cols() == weight.matrix().cols);
  assert(first + out.rows() <= weight.matrix().rows);
  const tensorized::Factors factors = tensorized::decode_factors(weight);
  tensorized::for_each_row(factors, first, out.rows(), out.cols(),
                           [&](std::size_t r, const auto& row) {
                             std::copy_n(row.begin(), out.cols(), out.row(r).begin());
                           });
}

}  // namespace pqw
