// Convolution: patches of the images times the weight matrix, or directly for groups of few
// outputs.
#include "pqw/serve/convolution.h"

#include <algorithm>

#include "codecs/product/overflow.h"
#include "core/subject.h"
#include "serve/conv_geometry.h"
#include "serve/direct_convolution.h"
#include "serve/layer_checks.h"
#include "serve/patches.h"

namespace pqw {
namespace {

constexpr std::size_t kPatchesAtOnce = 256;  // bounds the memory of the gathered patches
constexpr std::size_t kFewOutputs = 32;      // of a group: gathering its patches would not pay

std::size_t output_size(const char* layer, std::size_t input, std::size_t kernel,
                        const Conv2dOptions& options, std::size_t axis) {
  const std::size_t reach = options.dilation[axis] * (kernel - 1) + 1;
  const std::size_t padded = input + 2 * options.padding[axis];
  if (padded < reach) {
    throw invalid_argument("{}: kernel reaches over {} pixels, the padded input has {}", layer,
                           reach, padded);
  }
  return (padded - reach) / options.stride[axis] + 1;
}

ImageShape image(const SequenceShape& shape) {
  return {shape.batch, shape.channels, 1, shape.length};
}

Size2d kernel_of(const Shape& shape) { return {shape.size() == 4 ? shape[2] : 1, shape.back()}; }

void require_options(const char* layer, const Shape& shape, const Conv2dOptions& options) {
  const auto positive = [](const Size2d& size) { return size[0] > 0 && size[1] > 0; };
  if (positive(options.stride) && positive(options.dilation) && options.groups > 0 &&
      shape[0] % options.groups == 0 && positive(kernel_of(shape))) {
    return;
  }
  throw invalid_argument(
      "{} {}: stride, dilation, groups and kernel must be positive, and groups "
      "({}) must divide the outputs",
      layer, to_string(shape), options.groups);
}

void forward_patches(const ConvGeometry& geometry, const Product& product,
                     std::span<const float> bias, const float* x, float* y) {
  const std::size_t n_pixels = geometry.output.batch * geometry.n_pixels();
  const std::size_t n_outputs = geometry.outputs_per_group();
  const std::size_t at_once = std::min(kPatchesAtOnce, n_pixels);
  std::vector<float> patches(at_once * geometry.patch_size());
  std::vector<float> products(at_once * n_outputs);
  for (std::size_t group = 0; group < geometry.options.groups; ++group) {
    for (std::size_t first = 0; first < n_pixels; first += at_once) {
      const std::size_t count = std::min(at_once, n_pixels - first);
      const MutableMatrix gathered(patches.data(), count, geometry.patch_size());
      const MutableMatrix result(products.data(), count, n_outputs);
      gather_patches(geometry, x, group, first, gathered);
      product.multiply_rows(group * n_outputs, gathered, result);
      scatter_products(geometry, result, bias, group, first, y);
    }
  }
}

}  // namespace

Conv2d::Conv2d(Weight weight, std::vector<float> bias, const Conv2dOptions& options,
               const ServeOptions& serve)
    : Conv2d("Conv2d", 4, std::move(weight), std::move(bias), options, serve) {}

Conv2d::Conv2d(const char* layer, std::size_t rank, Weight weight, std::vector<float> bias,
               const Conv2dOptions& options, const ServeOptions& serve)
    : layer_(layer), shape_(head_of(weight).shape), bias_(std::move(bias)), options_(options) {
  require_layer(layer, weight, rank, bias_);
  require_options(layer, shape_, options);
  const bool direct = options.groups > 1 && shape_[0] / options.groups < kFewOutputs &&
                      serve.method == ServeMethod::kAuto;
  if (!direct) {
    product_ = make_product(std::move(weight), serve);
    return;
  }
  const MatrixShape matrix = matrix_shape(shape_);
  std::vector<float> decoded(matrix.rows * matrix.cols);
  decode_rows(weight, 0, {decoded.data(), matrix.rows, matrix.cols});
  decoded_ = std::make_shared<const std::vector<float>>(std::move(decoded));
}

ImageShape Conv2d::output_shape(const ImageShape& input) const {
  if (input.channels != shape_[1] * options_.groups) {
    throw invalid_argument("{} {}: input of {} channels, expected {}", layer_, to_string(shape_),
                           input.channels, shape_[1] * options_.groups);
  }
  const Size2d kernel = kernel_of(shape_);
  return {input.batch, shape_[0], output_size(layer_, input.height, kernel[0], options_, 0),
          output_size(layer_, input.width, kernel[1], options_, 1)};
}

void Conv2d::forward(std::span<const float> x, const ImageShape& shape, std::span<float> y) const {
  const ConvGeometry geometry{shape, output_shape(shape), kernel_of(shape_), options_};
  if (x.size() != shape.size() || y.size() != geometry.output.size()) {
    throw invalid_argument("{} {}: x has {} elements, expected {}; y has {}, expected {}", layer_,
                           to_string(shape_), x.size(), shape.size(), y.size(),
                           geometry.output.size());
  }
  if (product_) return forward_patches(geometry, *product_, bias_, x.data(), y.data());
  const ConstMatrix weight(decoded_->data(), shape_[0], geometry.patch_size());
  convolve_directly(geometry, weight, bias_, x.data(), y.data());
  multiply_again_if_infinite(
      x, y, [&](std::span<const float> small, std::span<float> again, float unit) {
        std::vector<float> bias = bias_;
        for (float& value : bias) value *= unit;
        convolve_directly(geometry, weight, bias, small.data(), again.data());
      });
}

std::string Conv2d::describe(const ImageShape& shape) const {
  const ConvGeometry geometry{shape, output_shape(shape), kernel_of(shape_), options_};
  if (!product_) return "direct convolution, decoded weights";
  const std::size_t n_pixels = geometry.output.batch * geometry.n_pixels();
  return "patches: " + product_->describe(std::min(kPatchesAtOnce, n_pixels));
}

// Sequences are images of height 1.
Conv1d::Conv1d(Weight weight, std::vector<float> bias, const Conv1dOptions& options,
               const ServeOptions& serve)
    : flat_("Conv1d", 3, std::move(weight), std::move(bias),
            {.stride = {1, options.stride},
             .padding = {0, options.padding},
             .dilation = {1, options.dilation},
             .groups = options.groups},
            serve) {}

SequenceShape Conv1d::output_shape(const SequenceShape& input) const {
  const ImageShape output = flat_.output_shape(image(input));
  return {output.batch, output.channels, output.width};
}

void Conv1d::forward(std::span<const float> x, const SequenceShape& shape,
                     std::span<float> y) const {
  flat_.forward(x, image(shape), y);
}

std::string Conv1d::describe(const SequenceShape& shape) const {
  return flat_.describe(image(shape));
}

}  // namespace pqw
