// Types and values of ONNX tensors.
#include "formats/onnx_tensor.h"

#include <algorithm>
#include <cstring>

namespace pqw {
namespace {

using onnx::TensorProto;

// The fields of TensorProto that hold values.
enum Field { kFloat = 4, kInt32 = 5, kInt64 = 7, kDouble = 10, kUint64 = 11 };

struct Type {
  int number;  // TensorProto.DataType; new ones are not in every onnx.proto
  DType dtype;
  const char* unknown;  // the name of a type that pqw does not have
  int bits;
  Field field;
};

// Source: onnx.proto of ONNX 1.20.
constexpr Type kTypes[] = {
    {1, DType::kF32, "", 32, kFloat},         {2, DType::kU8, "", 8, kInt32},
    {3, DType::kI8, "", 8, kInt32},           {4, DType::kU16, "", 16, kInt32},
    {5, DType::kI16, "", 16, kInt32},         {6, DType::kI32, "", 32, kInt32},
    {7, DType::kI64, "", 64, kInt64},         {9, DType::kBool, "", 8, kInt32},
    {10, DType::kF16, "", 16, kInt32},        {11, DType::kF64, "", 64, kDouble},
    {12, DType::kU32, "", 32, kUint64},       {13, DType::kU64, "", 64, kUint64},
    {14, DType::kC64, "", 64, kFloat},        {15, DType::kUnknown, "C128", 128, kDouble},
    {16, DType::kBF16, "", 16, kInt32},       {17, DType::kF8E4M3, "", 8, kInt32},
    {18, DType::kF8E4M3Fnuz, "", 8, kInt32},  {19, DType::kF8E5M2, "", 8, kInt32},
    {20, DType::kF8E5M2Fnuz, "", 8, kInt32},  {21, DType::kUnknown, "UINT4", 4, kInt32},
    {22, DType::kUnknown, "INT4", 4, kInt32}, {23, DType::kUnknown, "FLOAT4E2M1", 4, kInt32},
    {24, DType::kF8E8M0, "", 8, kInt32},      {25, DType::kUnknown, "UINT2", 2, kInt32},
    {26, DType::kUnknown, "INT2", 2, kInt32},
};
constexpr int kText = 8;

// Elements of the data field for `count` elements of the tensor: complex numbers take two, and
// packed ones share one.
std::uint64_t stored_elements(const Type& type, std::uint64_t count, std::uint64_t n_bytes) {
  if (type.field == kFloat) return n_bytes / 4;
  if (type.field == kDouble) return n_bytes / 8;
  return type.bits < 8 ? n_bytes : count;
}

// The lowest bytes of each number.
template <class Numbers>
void narrow(const Numbers& numbers, std::size_t size, std::vector<std::byte>& bytes) {
  std::size_t at = 0;
  for (const auto number : numbers) {
    if (at + size > bytes.size()) return;
    std::memcpy(bytes.data() + at, &number, size);
    at += size;
  }
}

}  // namespace

std::optional<TensorInfo> onnx_tensor_info(const TensorProto& tensor, const OnnxStored& stored,
                                           const Subject& subject) {
  if (tensor.data_type() == kText) return std::nullopt;
  if (tensor.has_segment()) throw subject.error(ErrorCode::kUnsupported, "is stored in segments");
  const auto* const type = std::ranges::find(kTypes, tensor.data_type(), &Type::number);
  if (type == std::end(kTypes)) {
    throw subject.error(ErrorCode::kUnsupported, "data type {}, expected 1 to 26",
                        tensor.data_type());
  }
  TensorInfo info;
  info.dtype = type->dtype;
  for (const std::int64_t dim : tensor.dims()) {
    if (dim < 0) throw subject.error("dimension {}, expected 0 or more", dim);
    info.shape.push_back(static_cast<std::size_t>(dim));
  }
  const auto count = checked_element_count(info.shape);
  if (!count || *count > (std::uint64_t{1} << 56)) {
    throw subject.error("shape {} is too large", shown(to_string(info.shape)));
  }
  const std::uint64_t n_bytes = (*count * static_cast<std::uint64_t>(type->bits) + 7) / 8;
  if (info.dtype == DType::kUnknown) info.unknown = UnknownType{type->unknown, n_bytes};
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    if (!stored.has_raw && stored.typed_field == 0) return info;
    throw subject.error("has values in the model and in an external file");
  }
  if (stored.has_raw && stored.typed_field != 0 && stored.n_typed != 0) {
    throw subject.error("has values in raw_data and in another field");
  }
  if (stored.has_raw && (stored.raw_bytes != 0 || stored.typed_field == 0)) {
    if (stored.raw_bytes == n_bytes) return info;
    throw subject.error("{} bytes stored, shape {} of {} needs {}", stored.raw_bytes,
                        to_string(info.shape), dtype_name(info), n_bytes);
  }
  if (stored.n_typed != 0 && stored.typed_field != type->field) {
    throw subject.error("values of {} in field {} of the tensor, expected field {}",
                        dtype_name(info), stored.typed_field, static_cast<int>(type->field));
  }
  const std::uint64_t expected = stored_elements(*type, *count, n_bytes);
  if (stored.n_typed != expected) {
    throw subject.error("{} values stored, shape {} of {} needs {}", stored.n_typed,
                        to_string(info.shape), dtype_name(info), expected);
  }
  return info;
}

std::vector<std::byte> onnx_typed_values(const TensorProto& tensor, std::size_t n_bytes) {
  const auto* const type = std::ranges::find(kTypes, tensor.data_type(), &Type::number);
  std::vector<std::byte> bytes(n_bytes);
  if (type == std::end(kTypes)) return bytes;
  const auto size = static_cast<std::size_t>(std::max(type->bits, 8) / 8);
  switch (type->field) {
    case kFloat:
      narrow(tensor.float_data(), 4, bytes);
      break;
    case kDouble:
      narrow(tensor.double_data(), 8, bytes);
      break;
    case kInt32:
      narrow(tensor.int32_data(), size, bytes);
      break;
    case kInt64:
      narrow(tensor.int64_data(), 8, bytes);
      break;
    case kUint64:
      narrow(tensor.uint64_data(), size, bytes);
      break;
  }
  return bytes;
}

}  // namespace pqw
