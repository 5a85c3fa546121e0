// Element types of tensors: sizes and names.
#include "pqw/core/dtype.h"

#include <array>
#include <cassert>

namespace pqw {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

// In the order of the enumeration.
constexpr std::array<Row, 15> kTable{{
    {DType::kF16, "F16", 2},
    {DType::kBF16, "BF16", 2},
    {DType::kF32, "F32", 4},
    {DType::kF64, "F64", 8},
    {DType::kF8E4M3, "F8_E4M3", 1},
    {DType::kF8E5M2, "F8_E5M2", 1},
    {DType::kI8, "I8", 1},
    {DType::kI16, "I16", 2},
    {DType::kI32, "I32", 4},
    {DType::kI64, "I64", 8},
    {DType::kU8, "U8", 1},
    {DType::kU16, "U16", 2},
    {DType::kU32, "U32", 4},
    {DType::kU64, "U64", 8},
    {DType::kBool, "BOOL", 1},
}};

const Row& row_of(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  assert(index < kTable.size() && kTable[index].dtype == dtype);
  return kTable[index];
}

}  // namespace

std::size_t size_in_bytes(DType dtype) { return row_of(dtype).bytes; }

bool is_compressible(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kF32 ||
         dtype == DType::kF64;
}

std::string_view to_string(DType dtype) { return row_of(dtype).name; }

std::optional<DType> dtype_from_string(std::string_view name) {
  for (const Row& row : kTable) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace pqw
