// Trellis-coded weights to and from the sections that an archive stores.
#include <algorithm>
#include <cmath>

#include "codecs/float_range.h"
#include "codecs/record_checks.h"
#include "codecs/tcq/value/coding.h"
#include "codecs/tcq/value/weight.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr const char* kStep = "step";
constexpr const char* kMeans = "means";
constexpr const char* kModel = "model";
constexpr const char* kTokens = "tokens";
constexpr const char* kRaw = "raw";

// A record may have this many integers for each of its bytes, and a fixed number: a few bytes must
// not stand for any number of zeros. A row without columns counts as one, as reading it takes time,
// too. Writers fill up `raw` with zeros.
constexpr std::size_t kMostPerByte = 100;
constexpr std::size_t kFreeIntegers = std::size_t{32} << 20;

std::size_t least_bytes(MatrixShape shape) {
  const std::size_t n = shape.rows * std::max<std::size_t>(1, shape.cols);
  return n <= kFreeIntegers ? 0 : (n - kFreeIntegers) / kMostPerByte;
}

std::vector<float> read_floats_of(const Record& record, const char* name, DType dtype,
                                  std::size_t count) {
  const Section& section = required_section(record, name);
  if (section.dtype != dtype || section.shape != Shape{count}) {
    throw subject_of(record).error("section '{}': {} {}, expected {} [{}]", name,
                                   to_string(section.dtype), to_string(section.shape),
                                   to_string(dtype), count);
  }
  std::vector<float> values(count);
  to_float(section.bytes, dtype, values);
  return values;
}

std::span<const std::byte> read_bytes(const Record& record, const char* name) {
  const Section& section = required_section(record, name);
  if (section.dtype != DType::kU8 || section.shape.size() != 1) {
    throw subject_of(record).error("section '{}': {} {}, expected U8 of rank 1", name,
                                   to_string(section.dtype), to_string(section.shape));
  }
  return section.bytes;
}

void add_bytes(Record& record, const char* name, std::vector<std::byte> bytes) {
  const std::size_t size = bytes.size();
  record.sections.push_back({name, DType::kU8, {size}, std::move(bytes)});
}

}  // namespace

Record TcqCodec::to_record(const TcqWeight& weight, const std::string& name) {
  Record record = record_of(kName, weight, name);
  const MatrixShape shape = weight.matrix();
  tcq::Coded coded = tcq::encode_values({shape, weight.values, weight.fineness});
  const std::size_t least = least_bytes(shape), other = coded.model.size() + coded.tokens.size();
  coded.raw.resize(std::max(coded.raw.size(), least > other ? least - other : 0));
  record.sections.push_back({kStep, DType::kF32, {1}, bytes_of(std::vector{weight.step})});
  if (!weight.means.empty()) {
    std::vector<std::byte> means(weight.means.size() * size_in_bytes(DType::kBF16));
    from_float(weight.means, DType::kBF16, means);
    record.sections.push_back({kMeans, DType::kBF16, {weight.means.size()}, std::move(means)});
  }
  add_bytes(record, kModel, std::move(coded.model));
  add_bytes(record, kTokens, std::move(coded.tokens));
  add_bytes(record, kRaw, std::move(coded.raw));
  return record;
}

TcqWeight TcqCodec::from_record(const Record& record) {
  TcqWeight weight{read_head(record)};
  const MatrixShape shape = weight.matrix();
  weight.step = read_floats_of(record, kStep, DType::kF32, 1).front();
  if (!(weight.step > 0) || std::isinf(weight.step)) {
    throw subject_of(record).error("step {:g}, expected a finite number above 0", weight.step);
  }
  if (record.find(kMeans) != nullptr) {
    weight.means = read_floats_of(record, kMeans, DType::kBF16, shape.cols);
  }
  const auto model = read_bytes(record, kModel), tokens = read_bytes(record, kTokens),
             raw = read_bytes(record, kRaw);
  const std::size_t n_bytes = model.size() + tokens.size() + raw.size();
  if (n_bytes < least_bytes(shape)) {
    throw subject_of(record).error("{} bytes for shape {}, expected {} or more", n_bytes,
                                   to_string(weight.shape), least_bytes(shape));
  }
  tcq::Decoded decoded = tcq::decode_values(shape, model, tokens, raw);
  if (decoded.fault != nullptr) throw subject_of(record).error("{}", decoded.fault);
  weight.values = std::move(decoded.values);
  weight.fineness = std::move(decoded.fineness);
  if (!all_finite(weight.means) || !tcq::is_finite(weight)) {
    throw subject_of(record).error("a weight is beyond the range of float");
  }
  return weight;
}

}  // namespace pqw
