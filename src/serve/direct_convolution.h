// Convolution from decoded weights, without patches: for groups of few outputs.
#pragma once

#include <span>

#include "pqw/core/matrix.h"
#include "serve/conv_geometry.h"

namespace pqw {

// y = x * weight + bias. weight: [out][patch_size], row-major; bias: [out] or empty; x and y as the
// shapes of the geometry say. The sum of an output runs over its patch in order: the bits do not
// depend on the threads.
void convolve_directly(const ConvGeometry& geometry, ConstMatrix weight,
                       std::span<const float> bias, const float* x, float* y);

}  // namespace pqw
