// Products of low-rank weights: two thin products.
#include <fmt/format.h>

#include "codecs/low_rank/value/combine.h"
#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"

namespace pqw {
namespace {

// y = (x Vᵀ) Uᵀ: two thin products, each computed by the codec of its factor. U V is never formed.
class LowRankProduct : public Product {
 public:
  LowRankProduct(const LowRankWeight& weight, const ServeOptions& options)
      : Product(weight.matrix()),
        outer_(make_product(*weight.outer, options)),
        inner_(make_product(*weight.inner, options)) {}

  void decode_row(std::size_t row, std::span<float> out) const override {
    std::vector<float> outer(inner_->rows()), inner(cols());
    outer_->decode_row(row, outer);
    const auto row_of = [&](std::size_t k) {
      inner_->decode_row(k, inner);
      return inner.data();
    };
    combine_rows(outer, row_of, out);
  }

  std::string describe(std::size_t batch) const override {
    return fmt::format("inner: {}; outer: {}", inner_->describe(batch), outer_->describe(batch));
  }

 private:
  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    const std::size_t rank = inner_->rows();
    std::vector<float> products(x.rows() * rank);  // x Vᵀ
    inner_->multiply_rows(0, x, {products.data(), x.rows(), rank});
    outer_->multiply_rows(first, {products.data(), x.rows(), rank}, y);
  }

  std::unique_ptr<const Product> outer_;  // U
  std::unique_ptr<const Product> inner_;  // V
};

}  // namespace

std::unique_ptr<const Product> LowRankCodec::make_product(LowRankWeight weight,
                                                          const ServeOptions& options) {
  return std::make_unique<LowRankProduct>(weight, options);
}

}  // namespace pqw
