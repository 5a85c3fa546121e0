// Weights that were quantized to int8 elsewhere: which tensors of a file belong together.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// Indices of the tensors of a weight.
struct Int8Reference {
  std::size_t values;
  std::size_t scale;
  std::optional<std::size_t> zero_point;  // none: symmetric
};

// A tensor X of type I8, rank 2 or more and not empty, belongs to a scale and, where there is one,
// a zero point of these names:
//   X_scale, X_zero_point                               e.g. fc.weight, fc.weight_scale
//   Pscale, Pzero_point     where X is P + "weight"     e.g. fc.weight, fc.scale, fc.zero_point
// the first of which that has a scale counts. The scale is of a float type, the zero point of an
// integer type, and they have one element, or one per output: shape [out], or [out, 1, ...].
// Tensors for which this does not hold are in no reference.
std::vector<Int8Reference> find_int8_references(std::span<const TensorInfo> tensors);

}  // namespace pqw
