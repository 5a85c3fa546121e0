// Two-dimensional convolution.
#include "pqw/serve/convolution.h"
#include "serve/convolution.h"
#include "serve/layer_checks.h"

namespace pqw {

Conv2d::Conv2d(Weight weight, std::vector<float> bias, const Conv2dOptions& options,
               const ServeOptions& serve) {
  require_layer("Conv2d", weight, 4, bias);
  convolution_ = std::make_shared<const Convolution>("Conv2d", std::move(weight), std::move(bias),
                                                     options, serve);
}

ImageShape Conv2d::output_shape(const ImageShape& input) const {
  return convolution_->output_shape(input);
}

void Conv2d::forward(std::span<const float> x, const ImageShape& shape, std::span<float> y) const {
  convolution_->forward(x, shape, y);
}

std::string Conv2d::describe(const ImageShape& shape) const {
  return convolution_->describe(shape);
}

}  // namespace pqw
