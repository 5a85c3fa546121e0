// Products of low-rank weights: two thin products.
#include "codecs/low_rank/product/low_rank_product.h"

#include <fmt/format.h>

#include "codecs/low_rank/value/combine.h"
#include "pqw/codecs/weight.h"

namespace pqw {

std::unique_ptr<const Product> LowRankCodec::make_product(LowRankWeight weight,
                                                          const ServeOptions& options) {
  return std::make_unique<LowRankProduct>(weight, options);
}

LowRankProduct::LowRankProduct(const LowRankWeight& weight, const ServeOptions& options)
    : Product(weight.matrix()),
      outer_(make_product(*weight.outer, options)),
      inner_(make_product(*weight.inner, options)) {}

void LowRankProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  const std::size_t rank = inner_->rows();
  std::vector<float> products(x.rows() * rank);  // x Vᵀ
  inner_->multiply_rows(0, x, {products.data(), x.rows(), rank});
  outer_->multiply_rows(first, {products.data(), x.rows(), rank}, y);
}

void LowRankProduct::decode_row(std::size_t row, std::span<float> out) const {
  std::vector<float> outer(inner_->rows()), inner(cols());
  outer_->decode_row(row, outer);
  combine_rows(
      outer,
      [&](std::size_t k) {
        inner_->decode_row(k, inner);
        return inner.data();
      },
      out);
}

std::string LowRankProduct::describe(std::size_t batch) const {
  return fmt::format("inner: {}; outer: {}", inner_->describe(batch), outer_->describe(batch));
}

}  // namespace pqw
