// Weights kept as they were: records and decoding.
#include <cassert>

#include "codecs/float_range.h"
#include "codecs/record_checks.h"
#include "pqw/codecs/plain.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr const char* kValues = "values";

void require_float(const PlainWeight& weight) {
  if (is_compressible(weight.dtype)) return;
  throw invalid_argument("a plain weight of type {} cannot be used as a float matrix",
                         to_string(weight.dtype));
}

}  // namespace

std::string PlainCodec::summary(const PlainWeight&) { return ""; }

Record PlainCodec::to_record(const PlainWeight& weight, const std::string& name) {
  Record record = record_of(kName, weight, name);
  record.sections.push_back({kValues, weight.dtype, weight.shape, weight.bytes});
  return record;
}

PlainWeight PlainCodec::from_record(const Record& record) {
  PlainWeight weight{read_head(record), {}};
  const Section& section = required_section(record, kValues);
  if (section.shape != weight.shape || section.dtype != weight.dtype) {
    throw subject_of(record).error("values of shape {} of {}, expected {} of {}",
                                   to_string(section.shape), to_string(section.dtype),
                                   to_string(weight.shape), to_string(weight.dtype));
  }
  weight.bytes = section.bytes;
  std::vector<float> values(element_count(weight.shape));
  to_float(weight.bytes, weight.dtype, values);
  if (!all_finite(values)) throw subject_of(record).error("values that are NaN or infinite");
  return weight;
}

void PlainCodec::decode_rows(const PlainWeight& weight, std::size_t first, MutableMatrix out) {
  require_float(weight);
  const MatrixShape matrix = weight.matrix();
  assert(first + out.rows() <= matrix.rows && out.cols() == matrix.cols);
  const std::size_t row_bytes = matrix.cols * size_in_bytes(weight.dtype);
  const std::span<const std::byte> bytes(weight.bytes);
  for (std::size_t r = 0; r < out.rows(); ++r) {
    to_float(bytes.subspan((first + r) * row_bytes, row_bytes), weight.dtype, out.row(r));
  }
}

}  // namespace pqw
