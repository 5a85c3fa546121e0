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

// {vertical, horizontal}
using Size2d = std::array<std::size_t, 2>;

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

// Cross-correlation as deep-learning frameworks define it. Group g of the output channels sees
// group g of the input channels. A group with fewer outputs than a lookup pays for (a depthwise
// convolution has one) is computed from decoded weights, unless `serve` asks for a method.
// Copies share the weight. Safe to use from several threads at once.
class Conv2d {
 public:
  // `weight` is [out, in/groups, kh, kw]; `bias` has `out` elements, or none.
  // Errors: kInvalidArgument when the shapes or options do not fit.
  explicit Conv2d(Weight weight, std::vector<float> bias = {}, const Conv2dOptions& options = {},
                  const ServeOptions& serve = {});

  // Errors: kInvalidArgument when the channels differ or the kernel does not fit in the image.
  ImageShape output_shape(const ImageShape& input) const;

  // y has the size of output_shape(shape). Errors: kInvalidArgument on other sizes.
  void forward(std::span<const float> x, const ImageShape& shape, std::span<float> y) const;

  // How `forward` computes images of that shape, in a few words.
  std::string describe(const ImageShape& shape) const;

 private:
  friend class Conv1d;

  // `layer` names it in errors. `weight` is of either class.
  Conv2d(const char* layer, std::size_t rank, Weight weight, std::vector<float> bias,
         const Conv2dOptions& options, const ServeOptions& serve);

  const char* layer_;
  Shape shape_;  // of the weight
  std::vector<float> bias_;
  Conv2dOptions options_;
  std::shared_ptr<const Product> product_;             // or
  std::shared_ptr<const std::vector<float>> decoded_;  // [out][patch_size]
};

// A Conv2d over images of height 1.
class Conv1d {
 public:
  // `weight` is [out, in/groups, k]; `bias` has `out` elements, or none.
  // Errors: kInvalidArgument when the shapes or options do not fit.
  explicit Conv1d(Weight weight, std::vector<float> bias = {}, const Conv1dOptions& options = {},
                  const ServeOptions& serve = {});

  // Errors: kInvalidArgument when the channels differ or the kernel does not fit in the sequence.
  SequenceShape output_shape(const SequenceShape& input) const;

  // y has the size of output_shape(shape). Errors: kInvalidArgument on other sizes.
  void forward(std::span<const float> x, const SequenceShape& shape, std::span<float> y) const;

  // How `forward` computes sequences of that shape, in a few words.
  std::string describe(const SequenceShape& shape) const;

 private:
  Conv2d flat_;
};

}  // namespace pqw
