// The convolution that the layers of one, two and three dimensions share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/serve/convolution.h"
#include "serve/conv_geometry.h"

namespace pqw {

// A layer of fewer dimensions: inputs of depth 1 and height 1.
struct ConvolutionOptions {
  const char* layer;   // names it in errors
  std::size_t n_axes;  // dimensions of the kernel
  Size3d stride = {1, 1, 1};
  Size3d padding = {0, 0, 0};
  Size3d dilation = {1, 1, 1};
  std::size_t groups = 1;
  bool transposed = false;
  Size3d output_padding = {0, 0, 0};  // of transposed convolutions only
};

// As pqw/serve/convolution.h describes it.
class ConvolutionLayer {
 public:
  // `weight` has the rank n_axes + 2.
  ConvolutionLayer(const ConvolutionOptions& options, Weight weight, std::vector<float> bias,
                   const ServeOptions& serve);

  VolumeShape output_shape(const VolumeShape& input) const;
  void forward(std::span<const float> x, const VolumeShape& shape, std::span<float> y) const;
  std::string describe(const VolumeShape& shape) const;

 private:
  ConvGeometry geometry(const VolumeShape& input) const;

  ConvolutionOptions options_;
  Shape shape_;    // of the weight
  Size3d kernel_;  // of the weight
  std::vector<float> bias_;
  std::shared_ptr<const Product> product_;             // or
  std::shared_ptr<const std::vector<float>> decoded_;  // [out][patch_size]
};

}  // namespace pqw
