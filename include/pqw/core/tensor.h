// Name, type and shape of a tensor, and overflow-checked arithmetic on shapes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/core/dtype.h"
#include "pqw/core/layout.h"

namespace pqw {

using Shape = std::vector<std::size_t>;

// An element type that pqw does not know. A tensor of this type can only be kept bit for bit.
struct UnknownType {
  std::string name;         // as in its file; REQUIRES: is_dtype_name
  std::size_t n_bytes = 0;  // of the whole tensor

  bool operator==(const UnknownType&) const = default;
};

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;                              // as in the file; empty: a scalar
  std::optional<UnknownType> unknown = {};  // set if and only if dtype is kUnknown
  Layout layout = {};

  bool operator==(const TensorInfo&) const = default;
};

// The tensor as encoders and layers see it: [out, in, kernel...], its layout without axes.
TensorInfo canonical(TensorInfo info);

// Product of the dimensions (1 for a scalar); empty when it does not fit in 63 bits.
std::optional<std::size_t> checked_element_count(std::span<const std::size_t> shape);

// Bytes of a tensor of that shape and type; empty when they do not fit in 63 bits, or elements of 4
// or 6 bits do not fill whole bytes. REQUIRES: not kUnknown.
std::optional<std::size_t> checked_byte_count(std::span<const std::size_t> shape, DType dtype);

// The same for any tensor.
std::optional<std::size_t> checked_byte_count(const TensorInfo& info);

// The same for shapes that were validated before. Throw Error(kInvalidArgument) if the checked
// function would return nothing.
std::size_t element_count(std::span<const std::size_t> shape);
std::size_t byte_count(const TensorInfo& info);

// The name of the element type in files: as in safetensors, or as `unknown` has it.
std::string_view dtype_name(const TensorInfo& info);

// "[64, 3, 7, 7]"
std::string to_string(std::span<const std::size_t> shape);

}  // namespace pqw
