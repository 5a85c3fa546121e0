// Convolutions of one and two dimensions.
#include "pqw/serve/convolution.h"
#include "serve/convolution.h"
#include "serve/layer_checks.h"

namespace pqw {
namespace {

ImageShape image(const SequenceShape& shape) {
  return {shape.batch, shape.channels, 1, shape.length};
}

}  // namespace

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

// Sequences are images of height 1.
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
