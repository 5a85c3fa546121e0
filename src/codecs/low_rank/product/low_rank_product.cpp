// Products of low-rank weights: two thin products.
#include "codecs/low_rank/product/low_rank_product.h"

#include <fmt/format.h>

#include <algorithm>

#include "pqw/codecs/weight.h"

namespace pqw {

LowRankProduct::LowRankProduct(const LowRankWeight& weight, const ServeOptions& options)
    : Product(matrix_shape(weight.shape)),
      outer_(make_product(*weight.outer, options)),
      inner_(make_product(*weight.inner, options)) {}

void LowRankProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  const std::size_t rank = inner_->rows();
  std::vector<float> products(x.rows() * rank);  // x Vᵀ
  inner_->multiply_rows(0, x, {products.data(), x.rows(), rank});
  outer_->multiply_rows(first, {products.data(), x.rows(), rank}, y);
}

// As decode_rows: the sum of an element runs over the rank in order.
void LowRankProduct::decode_row(std::size_t row, std::span<float> out) const {
  std::vector<float> scales(inner_->rows()), from(cols());
  outer_->decode_row(row, scales);
  std::ranges::fill(out, 0.0f);
  for (std::size_t k = 0; k < scales.size(); ++k) {
    inner_->decode_row(k, from);
    for (std::size_t c = 0; c < out.size(); ++c) out[c] += scales[k] * from[c];
  }
}

std::string LowRankProduct::describe(std::size_t batch) const {
  return fmt::format("inner: {}; outer: {}", inner_->describe(batch), outer_->describe(batch));
}

}  // namespace pqw
