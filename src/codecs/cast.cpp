// Casts: F32 tensors whose values a record stores in a narrower float type.
#include "codecs/cast.h"

#include "codecs/record_checks.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr char kSection[] = "values";

// The one section of the record.
const Section& values_of(const Record& record) {
  require_features(record);
  if (record.info.dtype != DType::kF32) {
    throw subject_of(record).error("type {}, expected F32", dtype_name(record.info));
  }
  const Section& section = required_section(record, kSection);
  if (record.sections.size() != 1 || !record.parts.empty()) {
    throw subject_of(record).error("{} sections and {} parts, expected the section 'values' alone",
                                   record.sections.size(), record.parts.size());
  }
  const bool is_narrow = section.dtype == DType::kF16 || section.dtype == DType::kBF16;
  if (!is_narrow || section.shape != record.info.shape) {
    throw subject_of(record).error(
        "section 'values' of type {} and shape {}, expected F16 or BF16 and shape {}",
        to_string(section.dtype), to_string(section.shape), to_string(record.info.shape));
  }
  return section;
}

}  // namespace

Record cast_record(const TensorInfo& info, DType dtype, std::span<const std::byte> values) {
  return {info, kCastCodec, {}, "", {{kSection, dtype, info.shape, bytes_of(values)}}};
}

DType cast_dtype(const Record& record) { return values_of(record).dtype; }

std::vector<std::byte> cast_bytes(const Record& record) {
  const Section& section = values_of(record);
  std::vector<float> values(element_count(section.shape));
  to_float(section.bytes, section.dtype, values);
  return bytes_of(values);
}

}  // namespace pqw
