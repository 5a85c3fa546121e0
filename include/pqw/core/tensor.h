// Name, type and shape of a tensor, and overflow-checked arithmetic on shapes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/core/dtype.h"

namespace pqw {

using Shape = std::vector<std::size_t>;

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;  // empty: a scalar

  bool operator==(const TensorInfo&) const = default;
};

// Product of the dimensions (1 for a scalar); empty when it does not fit in 63 bits.
std::optional<std::size_t> checked_element_count(std::span<const std::size_t> shape);

// Bytes of a tensor of that shape and type; empty when they do not fit in 63 bits.
std::optional<std::size_t> checked_byte_count(std::span<const std::size_t> shape, DType dtype);

// As above for shapes that were validated before. Throws Error(kInvalidArgument) on overflow.
std::size_t element_count(std::span<const std::size_t> shape);
std::size_t byte_count(const TensorInfo& info);

// "[64, 3, 7, 7]"
std::string to_string(std::span<const std::size_t> shape);

}  // namespace pqw
