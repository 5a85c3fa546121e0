// Fully connected layers.
#include "pqw/serve/linear.h"

#include "core/subject.h"
#include "serve/layer_checks.h"

namespace pqw {

Linear::Linear(Weight weight, std::vector<float> bias, const ServeOptions& serve)
    : product_((require_layer("Linear", weight, 2, bias), make_product(std::move(weight), serve))),
      bias_(std::move(bias)) {}

void Linear::forward(ConstMatrix x, MutableMatrix y) const {
  if (x.cols() != in_features() || y.cols() != out_features() || x.rows() != y.rows()) {
    throw invalid_argument(
        "Linear [{}, {}]: x is [{}, {}], y is [{}, {}]; expected [batch, {}] and [batch, {}]",
        out_features(), in_features(), x.rows(), x.cols(), y.rows(), y.cols(), in_features(),
        out_features());
  }
  product_->multiply_rows(0, x, y);
  if (bias_.empty()) return;
  for (std::size_t b = 0; b < y.rows(); ++b) {
    for (std::size_t r = 0; r < y.cols(); ++r) y(b, r) += bias_[r];
  }
}

}  // namespace pqw
