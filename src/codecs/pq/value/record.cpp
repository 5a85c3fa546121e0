// Product-quantized weights to and from the sections that an archive stores.
#include <algorithm>
#include <cmath>
#include <limits>

#include "codecs/float_range.h"
#include "codecs/pq/value/row_scales.h"
#include "codecs/record_checks.h"
#include "core/bit_packing.h"
#include "pqw/codecs/pq.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr const char* kCodebooks = "codebooks";
constexpr const char* kCodes = "codes";
constexpr const char* kAdditive = "additive";     // a feature: codebooks have one dimension more
constexpr const char* kRowScales = "row_scales";  // a feature and its section
constexpr std::size_t kMostCodes = std::size_t{1} << 40;

// Sums of centroids, one of each codebook, must stay finite.
void require_finite_sums(const Record& record, const PqWeight& weight) {
  const std::size_t book = weight.codebooks.size() / weight.n_additive;
  double largest = 0;
  for (std::size_t first = 0; first < weight.codebooks.size(); first += book) {
    largest += double{largest_magnitude(std::span(weight.codebooks).subspan(first, book))};
  }
  if (largest <= std::numeric_limits<float>::max()) return;
  throw subject_of(record).error("sums of centroids up to {:g}, beyond the range of float",
                                 largest);
}

// Fills block size, groups, centroids and the values.
void read_codebooks(const Record& record, PqWeight& weight) {
  const Section& section = required_section(record, kCodebooks);
  if (section.dtype != DType::kF16 && section.dtype != DType::kF32) {
    throw subject_of(record).error("codebooks of type {}, expected F16 or F32",
                                   to_string(section.dtype));
  }
  const bool is_additive = has_feature(record, kAdditive);
  Shape shape = section.shape;
  if (!is_additive) shape.insert(shape.begin(), 1);
  const bool valid = shape.size() == 4 && std::ranges::min(shape) >= 1 && shape[2] <= 65536 &&
                     (is_additive ? 2 <= shape[0] && shape[0] <= kMostAdditive : shape[0] == 1);
  if (!valid) {
    throw subject_of(record).error(
        "codebooks of shape {}, expected [{}groups, centroids <= 65536, block size]",
        to_string(section.shape), is_additive ? "2..4, " : "");
  }
  weight.n_additive = shape[0];
  weight.n_groups = shape[1];
  weight.n_centroids = shape[2];
  weight.block_size = shape[3];
  weight.codebook_dtype = section.dtype;
  weight.codebooks.resize(element_count(section.shape));
  to_float(section.bytes, section.dtype, weight.codebooks);
  for (const float value : weight.codebooks) {
    if (!std::isfinite(value)) throw subject_of(record).error("a codebook holds NaN or infinity");
  }
  if (is_additive) require_finite_sums(record, weight);
}

void read_codes(const Record& record, PqWeight& weight) {
  const Section& section = required_section(record, kCodes);
  const std::size_t positions = weight.positions();
  if (weight.n_groups > std::max<std::size_t>(1, positions)) {
    throw subject_of(record).error("{} codebook groups for {} positions", weight.n_groups,
                                   positions);
  }
  // positions <= columns, so the product fits where the element count of the tensor did.
  const std::size_t count = weight.n_additive * positions * weight.rows();
  const unsigned bits = bits_for(weight.n_centroids);
  if (section.dtype != DType::kU8 || section.bytes.size() != packed_size(count, bits)) {
    throw subject_of(record).error("{} bytes of codes, expected {} ({} codes of {} bits)",
                                   section.bytes.size(), packed_size(count, bits), count, bits);
  }
  if (count > kMostCodes) {  // codes of no bits take no file, but they take memory
    throw subject_of(record).error(ErrorCode::kUnsupported, "{} codes, expected {} at most", count,
                                   kMostCodes);
  }
  weight.codes.resize(count);
  unpack_bits(section.bytes, bits, weight.codes);
  for (const std::uint16_t code : weight.codes) {
    if (code >= weight.n_centroids) {
      throw subject_of(record).error("code {}, but there are {} centroids", code,
                                     weight.n_centroids);
    }
  }
}

void read_row_scales(const Record& record, PqWeight& weight) {
  const Section& section = required_section(record, kRowScales);
  const bool known = section.dtype == DType::kU8 || section.dtype == DType::kF16;
  if (!known || section.shape != Shape{weight.rows()}) {
    throw subject_of(record).error("row_scales {} of shape {}, expected U8 or F16 of shape [{}]",
                                   to_string(section.dtype), to_string(section.shape),
                                   weight.rows());
  }
  weight.row_scale_type = section.dtype == DType::kU8 ? RowScales::kLog8 : RowScales::kF16;
  weight.row_scales = row_scales_of_bytes(section.bytes, weight.row_scale_type);
  for (const float scale : weight.row_scales) {
    if (std::isfinite(scale) && !std::signbit(scale)) continue;
    throw subject_of(record).error("row scale {:g}, expected a finite number, 0 or more", scale);
  }
}

}  // namespace

Record PqCodec::to_record(const PqWeight& weight, const std::string& name) {
  Record record = record_of(kName, weight, name);
  const DType dtype = weight.codebook_dtype;
  Shape shape = {weight.n_groups, weight.n_centroids, weight.block_size};
  if (weight.n_additive > 1) {
    record.features.push_back(kAdditive);
    shape.insert(shape.begin(), weight.n_additive);
  }
  std::vector<std::byte> codebooks(weight.codebooks.size() * size_in_bytes(dtype));
  from_float(weight.codebooks, dtype, codebooks);
  const unsigned bits = bits_for(weight.n_centroids);
  const std::size_t n_packed =
      packed_size(weight.n_additive * weight.positions() * weight.rows(), bits);
  record.sections.push_back({kCodebooks, dtype, shape, std::move(codebooks)});
  record.sections.push_back({kCodes, DType::kU8, {n_packed}, pack_bits(weight.codes, bits)});
  if (!weight.row_scales.empty()) {
    record.features.push_back(kRowScales);
    record.sections.push_back({kRowScales,
                               weight.row_scale_type == RowScales::kLog8 ? DType::kU8 : DType::kF16,
                               {weight.rows()},
                               bytes_of_row_scales(weight.row_scales, weight.row_scale_type)});
  }
  return record;
}

PqWeight PqCodec::from_record(const Record& record) {
  PqWeight weight{read_head(record, {kAdditive, kRowScales})};
  read_codebooks(record, weight);
  read_codes(record, weight);
  if (has_feature(record, kRowScales)) read_row_scales(record, weight);
  return weight;
}

}  // namespace pqw
