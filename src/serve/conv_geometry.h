// The geometry of a convolution: the pixels of the input that an output pixel sees.
#pragma once

#include <cstddef>

#include "pqw/serve/convolution.h"

namespace pqw {

struct ConvGeometry {
  ImageShape input;
  ImageShape output;
  Size2d kernel = {1, 1};
  Conv2dOptions options;

  std::size_t inputs_per_group() const { return input.channels / options.groups; }
  std::size_t outputs_per_group() const { return output.channels / options.groups; }
  // Columns of the weight matrix: [input of the group][kh][kw].
  std::size_t patch_size() const { return inputs_per_group() * kernel[0] * kernel[1]; }
  // Output pixels of an image.
  std::size_t n_pixels() const { return output.height * output.width; }
  std::size_t n_multiplications() const {
    return output.batch * n_pixels() * output.channels * patch_size();
  }
};

}  // namespace pqw
