// Two-dimensional convolution computed from the compressed weight.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "pqw/codecs/weight.h"

namespace pqw {

// {vertical, horizontal}
using Size2d = std::array<std::size_t, 2>;

struct Conv2dOptions {
  Size2d stride = {1, 1};
  Size2d padding = {0, 0};  // zeros on each side
  Size2d dilation = {1, 1};
  std::size_t groups = 1;
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
// group g of the input channels. Safe to use from several threads at once.
class Conv2d {
 public:
  // `weight` is [out, in/groups, kh, kw]; `bias` has `out` elements, or none.
  // Errors: kInvalidArgument when the shapes or options do not fit.
  explicit Conv2d(Weight weight, std::vector<float> bias = {}, const Conv2dOptions& options = {});

  // Errors: kInvalidArgument when the channels differ or the kernel does not fit in the image.
  ImageShape output_shape(const ImageShape& input) const;

  // y has the size of output_shape(shape). Errors: kInvalidArgument on other sizes.
  void forward(std::span<const float> x, const ImageShape& shape, std::span<float> y) const;

 private:
  struct Patches;
  Patches make_patches(const ImageShape& input) const;
  void gather(const Patches& patches, const float* image, std::size_t group, std::size_t first,
              MutableMatrix out) const;

  Weight weight_;
  std::vector<float> bias_;
  Conv2dOptions options_;
};

}  // namespace pqw
