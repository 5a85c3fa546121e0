// Int8 weights to and from the sections that an archive stores.
#include <cstring>

#include "codecs/int8/value/fault.h"
#include "codecs/record_checks.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr const char* kValues = "values";
constexpr const char* kScales = "scales";
constexpr const char* kZeroPoints = "zero_points";
constexpr const char* kActivations = "activations";

std::vector<std::int8_t> read_bytes(const Record& record, const Section& section, Shape shape) {
  if (section.dtype != DType::kI8 || section.shape != shape) {
    throw subject_of(record).error("section '{}': {} {}, expected I8 {}", section.name,
                                   to_string(section.dtype), to_string(section.shape),
                                   to_string(shape));
  }
  std::vector<std::int8_t> values(section.bytes.size());
  if (!values.empty()) std::memcpy(values.data(), section.bytes.data(), values.size());
  return values;
}

std::vector<float> read_scales(const Record& record) {
  const Section& section = required_section(record, kScales);
  if (section.dtype != DType::kF32 || section.shape.size() != 1) {
    throw subject_of(record).error("section 'scales': {} {}, expected F32 of rank 1",
                                   to_string(section.dtype), to_string(section.shape));
  }
  std::vector<float> scales(section.shape[0]);
  to_float(section.bytes, DType::kF32, scales);
  return scales;
}

ActivationRange read_activations(const Record& record) {
  if (record.find(kActivations) == nullptr) return ActivationRange::kRow;
  const Section& section = required_section(record, kActivations);
  if (section.dtype != DType::kU8 || section.bytes.size() != 1 ||
      section.bytes[0] != std::byte{1}) {
    throw subject_of(record).error("section 'activations': expected U8 [1] that holds 1");
  }
  return ActivationRange::kBatch;
}

}  // namespace

Record Int8Codec::to_record(const Int8Weight& weight, const std::string& name) {
  Record record = record_of(kName, weight, name);
  const Shape values = {weight.rows(), weight.cols()}, one_each = {weight.scales.size()};
  record.sections.push_back({kValues, DType::kI8, values, bytes_of(weight.values)});
  record.sections.push_back({kScales, DType::kF32, one_each, bytes_of(weight.scales)});
  if (!weight.zero_points.empty()) {
    record.sections.push_back({kZeroPoints, DType::kI8, one_each, bytes_of(weight.zero_points)});
  }
  if (weight.activations == ActivationRange::kBatch) {
    record.sections.push_back({kActivations, DType::kU8, {1}, {std::byte{1}}});
  }
  return record;
}

Int8Weight Int8Codec::from_record(const Record& record) {
  Int8Weight weight{read_head(record)};
  weight.values =
      read_bytes(record, required_section(record, kValues), {weight.rows(), weight.cols()});
  weight.scales = read_scales(record);
  if (record.find(kZeroPoints) != nullptr) {
    weight.zero_points =
        read_bytes(record, required_section(record, kZeroPoints), {weight.scales.size()});
  }
  weight.activations = read_activations(record);
  const std::string fault = fault_of(weight);
  if (!fault.empty()) throw subject_of(record).error("{}", fault);
  return weight;
}

}  // namespace pqw
