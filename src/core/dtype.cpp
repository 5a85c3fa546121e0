// Element types of tensors: sizes and names.
#include "pqw/core/dtype.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace pqw {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t bits;
};

// In the order of the enumeration.
constexpr std::array<Row, 22> kTable{{
    {DType::kF16, "F16", 16},
    {DType::kBF16, "BF16", 16},
    {DType::kF32, "F32", 32},
    {DType::kF64, "F64", 64},
    {DType::kF8E4M3, "F8_E4M3", 8},
    {DType::kF8E5M2, "F8_E5M2", 8},
    {DType::kI8, "I8", 8},
    {DType::kI16, "I16", 16},
    {DType::kI32, "I32", 32},
    {DType::kI64, "I64", 64},
    {DType::kU8, "U8", 8},
    {DType::kU16, "U16", 16},
    {DType::kU32, "U32", 32},
    {DType::kU64, "U64", 64},
    {DType::kBool, "BOOL", 8},
    {DType::kF8E8M0, "F8_E8M0", 8},
    {DType::kF4, "F4", 4},
    {DType::kF6E2M3, "F6_E2M3", 6},
    {DType::kF6E3M2, "F6_E3M2", 6},
    {DType::kF8E4M3Fnuz, "F8_E4M3FNUZ", 8},
    {DType::kF8E5M2Fnuz, "F8_E5M2FNUZ", 8},
    {DType::kC64, "C64", 64},
}};

const Row& row_of(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  assert(index < kTable.size() && kTable[index].dtype == dtype);
  return kTable[index];
}

}  // namespace

std::size_t size_in_bits(DType dtype) { return row_of(dtype).bits; }

std::size_t size_in_bytes(DType dtype) {
  assert(row_of(dtype).bits % 8 == 0);
  return row_of(dtype).bits / 8;
}

bool is_basic(DType dtype) { return dtype <= DType::kBool; }

bool is_compressible(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kF32 ||
         dtype == DType::kF64;
}

std::string_view to_string(DType dtype) {
  return dtype == DType::kUnknown ? "unknown" : row_of(dtype).name;
}

std::optional<DType> dtype_from_string(std::string_view name) {
  for (const Row& row : kTable) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

bool is_dtype_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kLongest && std::ranges::all_of(name, is_allowed);
}

}  // namespace pqw
