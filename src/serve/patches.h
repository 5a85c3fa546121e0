// The patches of inputs that the outputs of a convolution see, as rows of a matrix (im2col).
#pragma once

#include <cstddef>
#include <span>

#include "pqw/core/matrix.h"
#include "serve/conv_geometry.h"

namespace pqw {

// Output pixels are counted through all inputs of the batch: pixel i is pixel i % n_pixels() of input
// i / n_pixels().

// Row i of `patches` becomes what output pixel first+i sees of a group of the input channels:
// [input of the group][kd][kh][kw]. REQUIRES: patches.cols() == patch_size().
void gather_patches(const ConvGeometry& geometry, const float* x, std::size_t group,
                    std::size_t first, MutableMatrix patches);

// Writes products[i][o] + bias to output pixel first+i of channel o of the group.
// bias: of all channels, or empty.
void scatter_products(const ConvGeometry& geometry, ConstMatrix products,
                      std::span<const float> bias, std::size_t group, std::size_t first, float* y);

}  // namespace pqw
