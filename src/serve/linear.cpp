// Fully connected layers.
#include "pqw/serve/linear.h"

#include <fmt/format.h>

#include "pqw/core/error.h"
#include "serve/layer_checks.h"

namespace pqw {

Linear::Linear(Weight weight, std::vector<float> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  require_layer("Linear", weight_, 2, bias_);
}

void Linear::forward(ConstMatrix x, MutableMatrix y) const {
  if (x.cols() != in_features() || y.cols() != out_features() || x.rows() != y.rows()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Linear [{}, {}]: x is [{}, {}], y is [{}, {}]", out_features(),
                            in_features(), x.rows(), x.cols(), y.rows(), y.cols()));
  }
  multiply(weight_, x, y);
  if (bias_.empty()) return;
  for (std::size_t b = 0; b < y.rows(); ++b) {
    for (std::size_t r = 0; r < y.cols(); ++r) y(b, r) += bias_[r];
  }
}

}  // namespace pqw
