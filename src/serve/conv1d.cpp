// One-dimensional convolution: images of height 1.
#include "pqw/serve/convolution.h"
#include "serve/convolution.h"
#include "serve/layer_checks.h"

namespace pqw {
namespace {

ImageShape image(const SequenceShape& shape) {
  return {shape.batch, shape.channels, 1, shape.length};
}

}  // namespace

Conv1d::Conv1d(Weight weight, std::vector<float> bias, const Conv1dOptions& options,
               const ServeOptions& serve) {
  require_layer("Conv1d", weight, 3, bias);
  const Conv2dOptions flat{.stride = {1, options.stride},
                           .padding = {0, options.padding},
                           .dilation = {1, options.dilation},
                           .groups = options.groups};
  convolution_ = std::make_shared<const Convolution>("Conv1d", std::move(weight), std::move(bias),
                                                     flat, serve);
}

SequenceShape Conv1d::output_shape(const SequenceShape& input) const {
  const ImageShape output = convolution_->output_shape(image(input));
  return {output.batch, output.channels, output.width};
}

void Conv1d::forward(std::span<const float> x, const SequenceShape& shape,
                     std::span<float> y) const {
  convolution_->forward(x, image(shape), y);
}

std::string Conv1d::describe(const SequenceShape& shape) const {
  return convolution_->describe(image(shape));
}

}  // namespace pqw
