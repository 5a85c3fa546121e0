// Convolutions computed from the compressed weight.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"

namespace pqw {

using Size2d = std::array<std::size_t, 2>;  // {height, width}
using Size3d = std::array<std::size_t, 3>;  // {depth, height, width}

struct Conv1dOptions {
  std::size_t stride = 1;
  std::size_t padding = 0;  // zeros on each side
  std::size_t dilation = 1;
  std::size_t groups = 1;
};

struct Conv2dOptions {
  Size2d stride = {1, 1};
  Size2d padding = {0, 0};  // zeros on each side
  Size2d dilation = {1, 1};
  std::size_t groups = 1;
};

struct Conv3dOptions {
  Size3d stride = {1, 1, 1};
  Size3d padding = {0, 0, 0};  // zeros on each side
  Size3d dilation = {1, 1, 1};
  std::size_t groups = 1;
};

// Transposed convolutions, as torch.nn.ConvTranspose1d and ConvTranspose2d define them.
struct ConvTranspose1dOptions {
  std::size_t stride = 1;
  std::size_t padding = 0;         // outputs left out on each side
  std::size_t output_padding = 0;  // outputs added at the end; less than stride or dilation
  std::size_t dilation = 1;
  std::size_t groups = 1;  // another number is refused
};

struct ConvTranspose2dOptions {
  Size2d stride = {1, 1};
  Size2d padding = {0, 0};         // outputs left out on each side
  Size2d output_padding = {0, 0};  // outputs added at the end; less than stride or dilation
  Size2d dilation = {1, 1};
  std::size_t groups = 1;  // another number is refused
};

// A batch of sequences. Layout: float[batch][channels][length].
struct SequenceShape {
  std::size_t batch = 0;
  std::size_t channels = 0;
  std::size_t length = 0;

  std::size_t size() const { return batch * channels * length; }
  bool operator==(const SequenceShape&) const = default;
};

// A batch of images. Layout: float[batch][channels][height][width].
struct ImageShape {
  std::size_t batch = 0;
  std::size_t channels = 0;
  std::size_t height = 0;
  std::size_t width = 0;

  std::size_t size() const { return batch * channels * height * width; }
  bool operator==(const ImageShape&) const = default;
};

// A batch of volumes. Layout: float[batch][channels][depth][height][width].
struct VolumeShape {
  std::size_t batch = 0;
  std::size_t channels = 0;
  std::size_t depth = 0;
  std::size_t height = 0;
  std::size_t width = 0;

  std::size_t size() const { return batch * channels * depth * height * width; }
  bool operator==(const VolumeShape&) const = default;
};

class ConvolutionLayer;

// Cross-correlation as deep-learning frameworks define it. Group g of the output channels sees
// group g of the input channels. A group with fewer outputs than a lookup pays for (a depthwise
// convolution has one) is computed from decoded weights, unless `serve` asks for a method.
// Copies share the weight. Safe to use from several threads at once.
template <class Options, class InputShape>
class Convolution {
 public:
  // For the shape of `weight` see Conv1d to ConvTranspose2d below; `bias` has `out` elements, or
  // none. Errors: kInvalidArgument when the shapes or options do not fit.
  explicit Convolution(Weight weight, std::vector<float> bias = {}, const Options& options = {},
                       const ServeOptions& serve = {});

  // Errors: kInvalidArgument when the channels differ or the kernel does not fit in the input.
  InputShape output_shape(const InputShape& input) const;

  // y has the size of output_shape(shape). Errors: kInvalidArgument on other sizes, and those of
  // output_shape.
  void forward(std::span<const float> x, const InputShape& shape, std::span<float> y) const;

  // How `forward` computes inputs of that shape, in a few words. Errors: those of output_shape.
  std::string describe(const InputShape& shape) const;

 private:
  std::shared_ptr<const ConvolutionLayer> layer_;
};

using Conv1d = Convolution<Conv1dOptions, SequenceShape>;  // weight: [out, in/groups, k]
using Conv2d = Convolution<Conv2dOptions, ImageShape>;     // weight: [out, in/groups, kh, kw]
using Conv3d = Convolution<Conv3dOptions, VolumeShape>;    // weight: [out, in/groups, kd, kh, kw]

// Weights in the canonical order (core/layout.h), [out, in, k] and [out, in, kh, kw]; PyTorch has
// [in, out, ...]. Each output multiplies all of its taps, also those that fall between the pixels of
// the input: blocks of codes lie across taps. So a stride of s in both directions takes s * s times
// the multiplications that are not with zeros.
using ConvTranspose1d = Convolution<ConvTranspose1dOptions, SequenceShape>;
using ConvTranspose2d = Convolution<ConvTranspose2dOptions, ImageShape>;

}  // namespace pqw
