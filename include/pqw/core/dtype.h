// Element types of tensors.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace pqw {

// The element types that a tensor file may hold; names are those of safetensors. Only the four
// float types up to F64 can be compressed, the others are carried as they are.
enum class DType {
  kF16,
  kBF16,
  kF32,
  kF64,
  kF8E4M3,
  kF8E5M2,
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kU16,
  kU32,
  kU64,
  kBool,
};

std::size_t size_in_bytes(DType dtype);

// True for F16, BF16, F32 and F64: the types with float conversions (core/convert.h).
bool is_compressible(DType dtype);

// "F32", "BF16", "F8_E4M3", ...
std::string_view to_string(DType dtype);

// The inverse of to_string; empty for an unknown name.
std::optional<DType> dtype_from_string(std::string_view name);

}  // namespace pqw
