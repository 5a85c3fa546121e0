// Two-dimensional convolution computed from the compressed weight.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "pqw/serve/convolution_shapes.h"

namespace pqw {

class Convolution;

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
  std::shared_ptr<const Convolution> convolution_;
};

}  // namespace pqw
