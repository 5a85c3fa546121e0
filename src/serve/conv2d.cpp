// Two-dimensional convolution: patches of the image times the weight matrix.
#include "pqw/serve/conv2d.h"

#include <fmt/format.h>

#include <algorithm>

#include "pqw/core/error.h"
#include "serve/layer_checks.h"

namespace pqw {
namespace {

constexpr std::size_t kPatchesAtOnce = 256;  // bounds the memory of the gathered patches

std::size_t output_size(std::size_t input, std::size_t kernel, std::size_t stride,
                        std::size_t padding, std::size_t dilation) {
  const std::size_t reach = dilation * (kernel - 1) + 1;
  if (input + 2 * padding < reach) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Conv2d: kernel reaches over {} pixels, the padded image has {}", reach,
                            input + 2 * padding));
  }
  return (input + 2 * padding - reach) / stride + 1;
}

}  // namespace

// Where the patches of an image lie.
struct Conv2d::Patches {
  ImageShape input;
  ImageShape output;
  std::size_t channels_per_group;
  Size2d kernel;
};

Conv2d::Conv2d(Weight weight, std::vector<float> bias, const Conv2dOptions& options)
    : weight_(std::move(weight)), bias_(std::move(bias)), options_(options) {
  require_layer("Conv2d", weight_, 4, bias_);
  const Shape& shape = shape_of(weight_);
  const auto positive = [](const Size2d& size) { return size[0] > 0 && size[1] > 0; };
  if (!positive(options.stride) || !positive(options.dilation) || options.groups == 0 ||
      shape[0] % options.groups != 0 || shape[2] == 0 || shape[3] == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Conv2d {}: stride, dilation, groups and kernel must be positive and "
                            "groups ({}) divide the outputs",
                            to_string(shape), options.groups));
  }
}

ImageShape Conv2d::output_shape(const ImageShape& input) const {
  const Shape& shape = shape_of(weight_);
  if (input.channels != shape[1] * options_.groups) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Conv2d {}: image of {} channels, expected {}", to_string(shape),
                            input.channels, shape[1] * options_.groups));
  }
  return {input.batch, shape[0],
          output_size(input.height, shape[2], options_.stride[0], options_.padding[0],
                      options_.dilation[0]),
          output_size(input.width, shape[3], options_.stride[1], options_.padding[1],
                      options_.dilation[1])};
}

Conv2d::Patches Conv2d::make_patches(const ImageShape& input) const {
  const Shape& shape = shape_of(weight_);
  return {input, output_shape(input), shape[1], {shape[2], shape[3]}};
}

// Row i of `out` becomes the patch under output pixel first+i: [channel of the group][kh][kw].
void Conv2d::gather(const Patches& patches, const float* image, std::size_t group,
                    std::size_t first, MutableMatrix out) const {
  const auto [kernel_h, kernel_w] = patches.kernel;
  const std::size_t height = patches.input.height;
  const std::size_t width = patches.input.width;
  for (std::size_t i = 0; i < out.rows(); ++i) {
    const std::size_t top = (first + i) / patches.output.width * options_.stride[0];
    const std::size_t left = (first + i) % patches.output.width * options_.stride[1];
    float* to = out.row(i).data();
    for (std::size_t c = 0; c < patches.channels_per_group; ++c) {
      const float* plane = image + (group * patches.channels_per_group + c) * height * width;
      for (std::size_t ky = 0; ky < kernel_h; ++ky) {
        // Unsigned: a pixel above or left of the image wraps round and is out of range as well.
        const std::size_t y = top + ky * options_.dilation[0] - options_.padding[0];
        for (std::size_t kx = 0; kx < kernel_w; ++kx) {
          const std::size_t x = left + kx * options_.dilation[1] - options_.padding[1];
          *to++ = y < height && x < width ? plane[y * width + x] : 0.0f;
        }
      }
    }
  }
}

void Conv2d::forward(std::span<const float> x, const ImageShape& shape, std::span<float> y) const {
  const Patches patches = make_patches(shape);
  const ImageShape& output = patches.output;
  if (x.size() != shape.size() || y.size() != output.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Conv2d: x has {} elements, expected {}; y has {}, expected {}",
                            x.size(), shape.size(), y.size(), output.size()));
  }
  const std::size_t n_pixels = output.height * output.width;
  const std::size_t n_outputs = output.channels / options_.groups;  // per group
  const std::size_t patch_size = patches.channels_per_group * patches.kernel[0] * patches.kernel[1];
  std::vector<float> patch_values(std::min(kPatchesAtOnce, n_pixels) * patch_size);
  std::vector<float> products(std::min(kPatchesAtOnce, n_pixels) * n_outputs);
  for (std::size_t n = 0; n < shape.batch; ++n) {
    const float* image = x.data() + n * shape.channels * shape.height * shape.width;
    for (std::size_t group = 0; group < options_.groups; ++group) {
      for (std::size_t first = 0; first < n_pixels; first += kPatchesAtOnce) {
        const std::size_t count = std::min(kPatchesAtOnce, n_pixels - first);
        const MutableMatrix gathered(patch_values.data(), count, patch_size);
        const MutableMatrix result(products.data(), count, n_outputs);
        gather(patches, image, group, first, gathered);
        multiply_rows(weight_, group * n_outputs, gathered, result);
        for (std::size_t o = 0; o < n_outputs; ++o) {
          const std::size_t channel = group * n_outputs + o;
          float* to = y.data() + (n * output.channels + channel) * n_pixels + first;
          const float bias = bias_.empty() ? 0.0f : bias_[channel];
          for (std::size_t i = 0; i < count; ++i) to[i] = result(i, o) + bias;
        }
      }
    }
  }
}

}  // namespace pqw
