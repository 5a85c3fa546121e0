// Convolution: patches of the input times the weight matrix, or directly for groups of few outputs.
#include "serve/convolution_layer.h"

#include <algorithm>

#include "codecs/product/overflow.h"
#include "core/subject.h"
#include "serve/direct_convolution.h"
#include "serve/layer_checks.h"
#include "serve/patches.h"

namespace pqw {
namespace {

constexpr std::size_t kPatchesAtOnce = 256;      // bounds the memory of the gathered patches
constexpr std::size_t kFewOutputs = 32;          // of a group: gathering its patches would not pay
constexpr std::size_t kMostPixels = 0x7fffffff;  // of a side, stride or padding: no sum overflows

bool all_small(const Size3d& size) { return std::ranges::max(size) <= kMostPixels; }

// REQUIRES: a rank of 2 to 5.
Size3d kernel_of(const Shape& shape) {
  Size3d kernel = {1, 1, 1};
  std::copy(shape.begin() + 2, shape.end(), kernel.end() - static_cast<int>(shape.size() - 2));
  return kernel;
}

void require_options(const ConvolutionOptions& options, const Shape& shape, const Size3d& kernel) {
  if (!all_small(options.stride) || !all_small(options.padding) || !all_small(options.dilation) ||
      !all_small(kernel)) {
    throw invalid_argument("{} {}: stride, padding, dilation and kernel must be at most {}",
                           options.layer, to_string(shape), kMostPixels);
  }
  const auto positive = [](const Size3d& size) { return std::ranges::min(size) > 0; };
  if (positive(options.stride) && positive(options.dilation) && options.groups > 0 &&
      shape[0] % options.groups == 0 && positive(kernel)) {
    return;
  }
  throw invalid_argument(
      "{} {}: stride, dilation, groups and kernel must be positive, and groups "
      "({}) must divide the outputs",
      options.layer, to_string(shape), options.groups);
}

void require_transposed_options(const ConvolutionOptions& options, const Shape& shape) {
  if (options.groups != 1) {
    throw invalid_argument("{} {}: {} groups, but transposed convolutions are served with 1 only",
                           options.layer, to_string(shape), options.groups);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (options.output_padding[i] < std::max(options.stride[i], options.dilation[i])) continue;
    throw invalid_argument(
        "{} {}: output_padding is {}, expected less than the stride ({}) or the dilation ({})",
        options.layer, to_string(shape), options.output_padding[i], options.stride[i],
        options.dilation[i]);
  }
}

std::size_t transposed_output_size(const char* layer, const ConvAxis& axis,
                                   std::size_t output_padding) {
  if (axis.input == 0) throw invalid_argument("{}: the input has no pixels", layer);
  const std::size_t full =
      (axis.input - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1 + output_padding;
  if (full <= 2 * axis.padding) {
    throw invalid_argument("{}: padding of {} on each side leaves none of {} output pixels", layer,
                           axis.padding, full);
  }
  return full - 2 * axis.padding;
}

std::size_t output_size(const char* layer, const ConvAxis& axis) {
  const std::size_t reach = axis.dilation * (axis.kernel - 1) + 1;
  const std::size_t padded = axis.input + 2 * axis.padding;
  if (padded < reach) {
    throw invalid_argument("{}: kernel reaches over {} pixels, the padded input has {}", layer,
                           reach, padded);
  }
  return (padded - reach) / axis.stride + 1;
}

void forward_patches(const ConvGeometry& geometry, const Product& product,
                     std::span<const float> bias, const float* x, float* y) {
  const std::size_t n_pixels = geometry.batch * geometry.n_pixels();
  const std::size_t n_outputs = geometry.outputs_per_group();
  const std::size_t at_once = std::min(kPatchesAtOnce, n_pixels);
  std::vector<float> patches(at_once * geometry.patch_size());
  std::vector<float> products(at_once * n_outputs);
  for (std::size_t group = 0; group < geometry.groups; ++group) {
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

ConvolutionLayer::ConvolutionLayer(const ConvolutionOptions& options, Weight weight,
                                   std::vector<float> bias, const ServeOptions& serve)
    : options_(options), shape_(head_of(weight).shape), bias_(std::move(bias)) {
  require_layer(options.layer, weight, options.n_axes + 2, bias_);
  kernel_ = kernel_of(shape_);
  require_options(options, shape_, kernel_);
  if (options.transposed) require_transposed_options(options, shape_);
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

ConvGeometry ConvolutionLayer::geometry(const VolumeShape& input) const {
  if (input.channels != shape_[1] * options_.groups) {
    throw invalid_argument("{} {}: input of {} channels, expected {}", options_.layer,
                           to_string(shape_), input.channels, shape_[1] * options_.groups);
  }
  ConvGeometry geometry{input.batch, input.channels, shape_[0], options_.groups,
                        options_.transposed};
  const Size3d sizes = {input.depth, input.height, input.width};
  if (!all_small(sizes)) {
    throw invalid_argument("{} {}: an input of {} x {} x {} pixels, expected at most {} on a side",
                           options_.layer, to_string(shape_), input.depth, input.height,
                           input.width, kMostPixels);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    ConvAxis& axis = geometry.axes[i];
    axis = {.input = sizes[i],
            .kernel = kernel_[i],
            .stride = options_.stride[i],
            .padding = options_.padding[i],
            .dilation = options_.dilation[i]};
    axis.output = options_.transposed
                      ? transposed_output_size(options_.layer, axis, options_.output_padding[i])
                      : output_size(options_.layer, axis);
  }
  const auto& [depth, height, width] = geometry.axes;
  element_count(Shape{input.batch, input.channels, depth.input, height.input, width.input});
  element_count(Shape{input.batch, shape_[0], depth.output, height.output, width.output});
  return geometry;
}

VolumeShape ConvolutionLayer::output_shape(const VolumeShape& input) const {
  const auto& [depth, height, width] = geometry(input).axes;
  return {input.batch, shape_[0], depth.output, height.output, width.output};
}

void ConvolutionLayer::forward(std::span<const float> x, const VolumeShape& shape,
                               std::span<float> y) const {
  const ConvGeometry geometry = this->geometry(shape);
  if (x.size() != geometry.x_size() || y.size() != geometry.y_size()) {
    throw invalid_argument("{} {}: x has {} elements, expected {}; y has {}, expected {}",
                           options_.layer, to_string(shape_), x.size(), geometry.x_size(), y.size(),
                           geometry.y_size());
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

std::string ConvolutionLayer::describe(const VolumeShape& shape) const {
  const ConvGeometry geometry = this->geometry(shape);
  if (!product_) return "direct convolution, decoded weights";
  const std::size_t n_pixels = geometry.batch * geometry.n_pixels();
  return "patches: " + product_->describe(std::min(kPatchesAtOnce, n_pixels));
}

}  // namespace pqw
