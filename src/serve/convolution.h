// The convolution over images that Conv1d and Conv2d share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "serve/conv_geometry.h"

namespace pqw {

class Convolution {
 public:
  // `layer` names it in errors. `weight` is [out, in/groups, k] or [out, in/groups, kh, kw].
  Convolution(const char* layer, Weight weight, std::vector<float> bias,
              const Conv2dOptions& options, const ServeOptions& serve);

  ImageShape output_shape(const ImageShape& input) const;
  void forward(std::span<const float> x, const ImageShape& shape, std::span<float> y) const;
  std::string describe(const ImageShape& shape) const;

 private:
  ConvGeometry make_geometry(const ImageShape& input) const;
  void forward_patches(const ConvGeometry& geometry, const float* x, float* y) const;

  const char* layer_;
  Shape shape_;  // of the weight
  std::vector<float> bias_;
  Conv2dOptions options_;
  std::unique_ptr<const Product> product_;  // or
  std::vector<float> decoded_;              // [out][patch_size]
};

}  // namespace pqw
