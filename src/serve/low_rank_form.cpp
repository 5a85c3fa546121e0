// Low-rank weights: two thin products, each factor prepared as its codec is.
#include <fmt/format.h>

#include "pqw/serve/served_weight.h"
#include "serve/served_form.h"

namespace pqw {
namespace {

class LowRankForm : public ServedForm {
 public:
  LowRankForm(const LowRankWeight& weight, const ServeOptions& options)
      : outer_(*weight.outer, options), inner_(*weight.inner, options) {}

  void multiply(ConstMatrix x, MutableMatrix y) const override {
    std::vector<float> products;
    outer_.multiply(inner_products(x, products), y);
  }

  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    std::vector<float> products;
    outer_.multiply_rows(first, inner_products(x, products), y);
  }

  std::string describe(std::size_t batch) const override {
    return fmt::format("inner: {}; outer: {}", inner_.describe(batch), outer_.describe(batch));
  }

 private:
  // x Vᵀ: [batch][rank], kept in `products`.
  ConstMatrix inner_products(ConstMatrix x, std::vector<float>& products) const {
    products.resize(x.rows() * inner_.rows());
    inner_.multiply(x, {products.data(), x.rows(), inner_.rows()});
    return {products.data(), x.rows(), inner_.rows()};
  }

  ServedWeight outer_;
  ServedWeight inner_;
};

}  // namespace

std::unique_ptr<const ServedForm> prepare(LowRankWeight weight, const ServeOptions& options) {
  return std::make_unique<LowRankForm>(weight, options);
}

}  // namespace pqw
