// Overflow-checked arithmetic on shapes, also of matrices.
#include "pqw/core/tensor.h"

#include <limits>

#include "core/subject.h"
#include "pqw/core/matrix.h"

namespace pqw {
namespace {

constexpr std::size_t kMax = std::numeric_limits<std::ptrdiff_t>::max();

}  // namespace

TensorInfo canonical(TensorInfo info) {
  info.shape = canonical_shape(info.shape, info.layout.axes);
  info.layout.axes.clear();
  return info;
}

std::optional<std::size_t> checked_element_count(std::span<const std::size_t> shape) {
  std::size_t count = 1;
  bool has_zero = false;
  for (const std::size_t dim : shape) {
    if (dim == 0) {
      has_zero = true;
    } else if (count > kMax / dim) {
      return std::nullopt;
    } else {
      count *= dim;
    }
  }
  return has_zero ? 0 : count;
}

std::optional<std::size_t> checked_byte_count(std::span<const std::size_t> shape, DType dtype) {
  const auto count = checked_element_count(shape);
  const std::size_t bits = size_in_bits(dtype);
  if (!count) return std::nullopt;
  if (bits % 8 == 0) {
    if (*count > kMax / (bits / 8)) return std::nullopt;
    return *count * (bits / 8);
  }
  if (*count > kMax / bits || *count * bits % 8 != 0) return std::nullopt;
  return *count * bits / 8;
}

std::optional<std::size_t> checked_byte_count(const TensorInfo& info) {
  if (info.dtype != DType::kUnknown) return checked_byte_count(info.shape, info.dtype);
  if (!info.unknown) return std::nullopt;
  return info.unknown->n_bytes;
}

std::size_t element_count(std::span<const std::size_t> shape) {
  const auto count = checked_element_count(shape);
  if (!count) {
    throw invalid_argument("shape {} overflows 63 bits", to_string(shape));
  }
  return *count;
}

std::size_t byte_count(const TensorInfo& info) {
  const auto count = checked_byte_count(info);
  if (!count) {
    throw tensor_subject(info.name).error(
        "shape {} of {} does not fill whole bytes, or exceeds 63 bits", to_string(info.shape),
        dtype_name(info));
  }
  return *count;
}

std::string_view dtype_name(const TensorInfo& info) {
  return info.unknown ? std::string_view(info.unknown->name) : to_string(info.dtype);
}

std::string to_string(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

MatrixShape matrix_shape(std::span<const std::size_t> shape) {
  if (shape.size() < 2) {
    throw invalid_argument("shape {} has rank {}; a weight needs rank 2 or more", to_string(shape),
                           shape.size());
  }
  return {shape[0], element_count(shape.subspan(1))};
}

}  // namespace pqw
