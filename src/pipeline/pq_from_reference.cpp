// Makes a weight of the arrays that another program stores.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "codecs/pq/value/row_scales.h"
#include "core/subject.h"
#include "pipeline/pq_reference.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

// Calls `take` with each element, as std::int64_t.
template <class T, class Take>
void for_each_of(std::span<const std::byte> bytes, const Take& take) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    take(static_cast<std::int64_t>(value));
  }
}

// REQUIRES: a type that find_pq_references allows for codes.
template <class Take>
void for_each_integer(DType dtype, std::span<const std::byte> bytes, const Take& take) {
  switch (dtype) {
    case DType::kI8:
      return for_each_of<std::int8_t>(bytes, take);
    case DType::kU8:
      return for_each_of<std::uint8_t>(bytes, take);
    case DType::kI16:
      return for_each_of<std::int16_t>(bytes, take);
    case DType::kU16:
      return for_each_of<std::uint16_t>(bytes, take);
    case DType::kI32:
      return for_each_of<std::int32_t>(bytes, take);
    case DType::kU32:
      return for_each_of<std::uint32_t>(bytes, take);
    default:
      return for_each_of<std::int64_t>(bytes, take);
  }
}

std::vector<float> floats_of(const Subject& subject, const TensorInfo& info,
                             std::span<const std::byte> bytes) {
  std::vector<float> values(element_count(info.shape));
  to_float(bytes, info.dtype, values);
  const auto bad = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return values;
  throw subject.error("element {} is {}, expected finite numbers", bad - values.begin(), *bad);
}

// The codes in the order of the file. Codes of AQLM are modulo K: a signed type holds the upper
// half as negative numbers.
std::vector<std::uint16_t> codes_of(const Subject& subject, const PqReference& reference,
                                    DType dtype, std::span<const std::byte> bytes) {
  const auto k = static_cast<std::int64_t>(reference.n_centroids);
  const std::int64_t least = reference.layout == PqLayout::kAqlm ? -k / 2 : 0;
  std::vector<std::uint16_t> codes;
  codes.reserve(reference.n_additive * reference.n_blocks);
  for_each_integer(dtype, bytes, [&](std::int64_t code) {
    if (code < least || code >= k) {
      throw subject.error("code {} is {}, expected {} to {}: there are {} centroids", codes.size(),
                          code, least, k - 1, k);
    }
    codes.push_back(static_cast<std::uint16_t>(code < 0 ? code + k : code));
  });
  return codes;
}

// From [rows][positions][n_additive] to [n_additive][positions][rows].
std::vector<std::uint16_t> position_major(const std::vector<std::uint16_t>& codes, std::size_t rows,
                                          std::size_t n_additive) {
  const std::size_t row_codes = codes.size() / rows, positions = row_codes / n_additive;
  std::vector<std::uint16_t> result(codes.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < row_codes; ++i) {
      const std::size_t book = i % n_additive, position = i / n_additive;
      result[(book * positions + position) * rows + r] = codes[r * row_codes + i];
    }
  }
  return result;
}

bool is_f16_scale(float scale) { return !std::signbit(scale) && is_exact_in_f16(scale); }

bool is_log8_scale(float scale) {
  return std::isfinite(scale) && !std::signbit(scale) &&
         nearest_row_scale(scale, RowScales::kLog8) == scale;
}

// Models of AQLM have scales in F16; exports of archives may have those of kLog8.
void set_scales(PqWeight& weight, const Subject& subject, const TensorInfo& info,
                std::span<const std::byte> bytes) {
  std::vector<float>& scales = weight.row_scales;
  scales = floats_of(subject, info, bytes);
  const auto wrong = std::ranges::find_if_not(scales, is_f16_scale);
  weight.row_scale_type = wrong == scales.end() ? RowScales::kF16 : RowScales::kLog8;
  if (wrong == scales.end() || std::ranges::all_of(scales, is_log8_scale)) return;
  throw subject.error(ErrorCode::kUnsupported,
                      "element {} is {}; scales of rows are 0 or more and exact in F16",
                      wrong - scales.begin(), *wrong);
}

}  // namespace

PqWeight pq_from_reference(const std::string& path, const PqReference& reference,
                           std::span<const TensorInfo> tensors, const PqParts& parts,
                           const Shape& shape, DType dtype) {
  const auto subject = [&](std::size_t index) {
    return Subject{path}.in("tensor", tensors[index].name);
  };
  PqWeight weight;
  weight.shape = shape;
  weight.dtype = dtype;
  weight.options = reference.layout == PqLayout::kAqlm ? "source=aqlm" : "source=ipq";
  weight.block_size = reference.block_size;
  weight.n_additive = reference.n_additive;
  weight.n_centroids = reference.n_centroids;
  weight.codebooks =
      floats_of(subject(reference.centroids), tensors[reference.centroids], parts.centroids);
  const bool is_exact = std::ranges::all_of(weight.codebooks, is_exact_in_f16);
  weight.codebook_dtype = is_exact ? DType::kF16 : DType::kF32;
  weight.codes =
      codes_of(subject(reference.codes), reference, tensors[reference.codes].dtype, parts.codes);
  if (reference.layout == PqLayout::kAqlm) {
    weight.codes = position_major(weight.codes, reference.rows, reference.n_additive);
  }
  if (reference.scales) {
    set_scales(weight, subject(*reference.scales), tensors[*reference.scales], parts.scales);
  }
  return weight;
}

}  // namespace pqw
