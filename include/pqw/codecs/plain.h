// Weights kept as they were, bit by bit.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pqw/core/matrix_view.h"
#include "pqw/core/tensor.h"

namespace pqw {

struct PlainWeight {
  static constexpr const char* kCodec = "plain";

  Shape shape;
  DType dtype = DType::kF32;
  std::vector<std::byte> bytes;  // row-major, little-endian
};

std::size_t size_in_bits(const PlainWeight& weight);
std::size_t parameter_count(const PlainWeight& weight);
std::string summary(const PlainWeight& weight);  // empty

// The functions below see [out, in, k...] as a matrix [out, in*k*...] (matrix_shape.h).
// Errors: kInvalidArgument for a rank below 2 or a type that is not a float type.
void decode(const PlainWeight& weight, MutableMatrix out);
void decode_rows(const PlainWeight& weight, std::size_t first, MutableMatrix out);

}  // namespace pqw
