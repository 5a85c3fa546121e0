// Product-quantized weights to and from the sections that an archive stores.
#include <algorithm>
#include <cmath>
#include <limits>

#include "codecs/float_range.h"
#include "codecs/pq/value/additive.h"
#include "codecs/pq/value/entropy_coding.h"
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
constexpr const char* kEntropyCoded = "entropy_coded";  // a feature and its section
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

// Fills codebooks, groups, centroids, block size and type. Returns whether the section holds low bytes only.
bool read_codebook_shape(const Record& record, PqWeight& weight) {
  const Section& section = required_section(record, kCodebooks);
  const bool is_low = section.dtype == DType::kU8 && has_feature(record, kEntropyCoded);
  if (section.dtype != DType::kF16 && section.dtype != DType::kF32 && !is_low) {
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
  weight.codebook_dtype = is_low ? DType::kF16 : section.dtype;
  return is_low;
}

void read_codebooks(const Record& record, std::span<const std::byte> bytes, PqWeight& weight) {
  weight.codebooks.resize(bytes.size() / size_in_bytes(weight.codebook_dtype));
  to_float(bytes, weight.codebook_dtype, weight.codebooks);
  for (const float value : weight.codebooks) {
    if (!std::isfinite(value)) throw subject_of(record).error("a codebook holds NaN or infinity");
  }
  if (weight.n_additive > 1) require_finite_sums(record, weight);
}

// The number of codes. Errors: also for too many groups.
std::size_t code_count(const Record& record, const PqWeight& weight) {
  const std::size_t positions = weight.positions();
  if (weight.n_groups > std::max<std::size_t>(1, positions)) {
    throw subject_of(record).error("{} codebook groups for {} positions", weight.n_groups,
                                   positions);
  }
  // positions <= columns, so the product fits where the element count of the tensor did.
  const std::size_t count = weight.n_additive * positions * weight.rows();
  if (count > kMostCodes) {  // codes of no bits take no file, but they take memory
    throw subject_of(record).error(ErrorCode::kUnsupported, "{} codes, expected {} at most", count,
                                   kMostCodes);
  }
  return count;
}

void read_packed_codes(const Record& record, PqWeight& weight) {
  const Section& section = required_section(record, kCodes);
  const std::size_t count = weight.n_additive * weight.positions() * weight.rows();
  const unsigned bits = bits_for(weight.n_centroids);
  if (section.dtype != DType::kU8 || section.bytes.size() != packed_size(count, bits)) {
    throw subject_of(record).error("{} bytes of codes, expected {} ({} codes of {} bits)",
                                   section.bytes.size(), packed_size(count, bits), count, bits);
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

void read_row_scales(const Record& record, RowScales type, std::span<const std::byte> bytes,
                     PqWeight& weight) {
  weight.row_scale_type = type;
  weight.row_scales = row_scales_of_bytes(bytes, type);
  for (const float scale : weight.row_scales) {
    if (std::isfinite(scale) && !std::signbit(scale)) continue;
    throw subject_of(record).error("row scale {:g}, expected a finite number, 0 or more", scale);
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
  const bool is_byte = section.dtype == DType::kU8;
  read_row_scales(record, is_byte ? RowScales::kLog8 : RowScales::kF16, section.bytes, weight);
}

// Codes, and what else the section of entropy-coded values has in place of other sections.
void read_entropy_coded(const Record& record, bool has_low_bytes, PqWeight& weight) {
  const Section& section = required_section(record, kEntropyCoded);
  if (section.dtype != DType::kU8) {
    throw subject_of(record).error("entropy_coded of type {}, expected U8",
                                   to_string(section.dtype));
  }
  const Section& codebooks = required_section(record, kCodebooks);
  const bool has_scales = has_feature(record, kRowScales) && record.find(kRowScales) == nullptr;
  const std::size_t n_scales = has_scales ? weight.rows() : 0;
  const std::size_t most = most_entropy_coded(section.bytes.size());
  if (const std::size_t n = code_count(record, weight) + n_scales; n > most) {
    throw subject_of(record).error(
        "{} entropy-coded codes and row scales in {} bytes, expected {} "
        "at most",
        n, section.bytes.size(), most);
  }
  CodedValues values =
      entropy_decoded(section.bytes, side_by_side(weight),
                      has_low_bytes ? codebooks.bytes.size() : 0, n_scales, subject_of(record));
  weight.codes = std::move(values.codes);
  if (has_low_bytes) {
    std::vector<std::byte> both;
    for (std::size_t i = 0; i < codebooks.bytes.size(); ++i) {
      both.push_back(codebooks.bytes[i]);
      both.push_back(values.codebook_highs[i]);
    }
    read_codebooks(record, both, weight);
  }
  if (has_scales) read_row_scales(record, RowScales::kLog8, values.row_scales, weight);
}

// Replaces sections by one with entropy-coded values, if that is smaller.
void code_by_entropy(const PqWeight& weight, Record& record) {
  constexpr std::size_t kFeatureBytes = 64;  // that the index takes for the feature, at most
  Record coded = record;
  std::erase_if(coded.sections, [](const Section& section) { return section.name == kCodes; });
  Section& codebooks = coded.sections.front();
  CodedValues values;
  if (codebooks.dtype == DType::kF16) {
    for (std::size_t i = 1; i < codebooks.bytes.size(); i += 2) {
      values.codebook_highs.push_back(codebooks.bytes[i]);
    }
  }
  const Section* scales = coded.find(kRowScales);
  if (scales != nullptr && scales->dtype == DType::kU8) values.row_scales = scales->bytes;
  std::vector<std::byte> bytes = entropy_coded(side_by_side(weight), values);
  if (!values.codebook_highs.empty()) {
    codebooks.dtype = DType::kU8;
    for (std::size_t i = 0; 2 * i < codebooks.bytes.size(); ++i) {
      codebooks.bytes[i] = codebooks.bytes[2 * i];
    }
    codebooks.bytes.resize(codebooks.bytes.size() / 2);
  }
  if (!values.row_scales.empty()) {
    std::erase_if(coded.sections,
                  [](const Section& section) { return section.name == kRowScales; });
  }
  coded.features.push_back(kEntropyCoded);
  coded.sections.push_back({kEntropyCoded, DType::kU8, {bytes.size()}, std::move(bytes)});
  const std::size_t most = most_entropy_coded(coded.sections.back().shape[0]);
  const bool is_smaller = data_bytes(coded) + kFeatureBytes < data_bytes(record);
  if (is_smaller && weight.codes.size() + weight.row_scales.size() <= most)
    record = std::move(coded);
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
  const bool is_learned = !weight.codes.empty();
  if (weight.entropy_coding && is_learned && weight.n_centroids > 1)
    code_by_entropy(weight, record);
  return record;
}

PqWeight PqCodec::from_record(const Record& record) {
  PqWeight weight{read_head(record, {kAdditive, kRowScales, kEntropyCoded})};
  weight.entropy_coding = has_feature(record, kEntropyCoded);
  const bool has_low_bytes = read_codebook_shape(record, weight);
  if (!has_low_bytes) {
    read_codebooks(record, required_section(record, kCodebooks).bytes, weight);
  }
  if (weight.entropy_coding) {
    read_entropy_coded(record, has_low_bytes, weight);
  } else {
    (void)code_count(record, weight);
    read_packed_codes(record, weight);
  }
  if (has_feature(record, kRowScales) && weight.row_scales.empty()) {
    read_row_scales(record, weight);
  }
  return weight;
}

}  // namespace pqw
