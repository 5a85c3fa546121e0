// Element types of tensors.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace pqw {

// The element types that a tensor file may hold; names are those of safetensors. Only the four
// float types up to kF64 can be compressed; tensors of other types are kept as they are. HDF5 files
// and archives have datasets of the basic types, up to kBool, only.
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
  kF8E8M0,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kC64,
  kUnknown,  // any other type; TensorInfo::unknown names it
};

// F4 has 4 bits, F6_E2M3 and F6_E3M2 have 6. REQUIRES: not kUnknown.
std::size_t size_in_bits(DType dtype);

// REQUIRES: a type of whole bytes.
std::size_t size_in_bytes(DType dtype);

// True up to kBool.
bool is_basic(DType dtype);

// True for F16, BF16, F32 and F64: the types with float conversions (core/convert.h).
bool is_compressible(DType dtype);

// "F32", "BF16", "F8_E4M3", ...; "unknown" for kUnknown.
std::string_view to_string(DType dtype);

// The inverse of to_string; empty for an unknown name.
std::optional<DType> dtype_from_string(std::string_view name);

// Whether `name` may name a type: 1 to 64 letters, digits and underscores.
bool is_dtype_name(std::string_view name);

}  // namespace pqw
