// Tensorized weights to and from the sections that an archive stores.
#include <cstring>

#include "codecs/parts.h"
#include "codecs/record_checks.h"
#include "codecs/tensorized/value/layout.h"
#include "codecs/tensorized/value/outline.h"
#include "pqw/codecs/tensorized.h"
#include "pqw/codecs/weight.h"

namespace pqw {
namespace {

constexpr const char* kLayout = "layout";
constexpr const char* kShared = "shared_with";
constexpr std::size_t kMostNameBytes = 65536;

// Layout: form, layers, layer, number of out modes, number of in modes, out modes, in modes, ranks.
Section layout_section(const TensorizedWeight& weight) {
  const TensorLayout& layout = weight.layout;
  std::vector<std::uint64_t> numbers = {static_cast<std::uint64_t>(layout.form), layout.n_layers,
                                        weight.layer, layout.out_modes.size(),
                                        layout.in_modes.size()};
  for (const Shape* sizes : {&layout.out_modes, &layout.in_modes, &layout.ranks}) {
    numbers.insert(numbers.end(), sizes->begin(), sizes->end());
  }
  return {kLayout, DType::kU64, {numbers.size()}, bytes_of(numbers)};
}

std::vector<std::uint64_t> read_numbers(const Record& record) {
  const Section& section = required_section(record, kLayout);
  constexpr std::size_t kFewest = 7;  // five numbers, a mode of each side
  if (section.dtype != DType::kU64 || section.shape.size() != 1 || section.shape[0] < kFewest) {
    throw subject_of(record).error(
        "section 'layout': shape {} of {}, expected 7 or more numbers of U64",
        to_string(section.shape), to_string(section.dtype));
  }
  std::vector<std::uint64_t> numbers(section.shape[0]);
  std::memcpy(numbers.data(), section.bytes.data(), section.bytes.size());
  return numbers;
}

// The padded side is less than twice as long: so no record can ask for more memory than that.
bool holds(const Shape& modes, std::size_t side) {
  const auto count = checked_element_count(modes);
  return count && *count >= side && *count / 2 < side;
}

// Fills layout and layer.
void read_layout(const Record& record, TensorizedWeight& weight) {
  const std::vector<std::uint64_t> numbers = read_numbers(record);
  constexpr std::size_t kHead = 5;
  const std::size_t n_out = numbers[3], n_in = numbers[4], n_rest = numbers.size() - kHead;
  TensorLayout& layout = weight.layout;
  const bool valid = numbers[0] <= static_cast<std::uint64_t>(TensorForm::kTtm) &&
                     numbers[2] < numbers[1] && n_out <= n_rest && n_in <= n_rest - n_out;
  if (!valid) throw subject_of(record).error("section 'layout' is not a valid layout");
  layout.form = static_cast<TensorForm>(numbers[0]);
  layout.n_layers = numbers[1];
  weight.layer = numbers[2];
  const auto out = numbers.begin() + kHead;
  const auto in = out + static_cast<std::ptrdiff_t>(n_out);
  const auto ranks = in + static_cast<std::ptrdiff_t>(n_in);
  layout.out_modes.assign(out, in);
  layout.in_modes.assign(in, ranks);
  layout.ranks.assign(ranks, numbers.end());
  try {
    factor_shapes(layout);
  } catch (const Error& error) {
    throw subject_of(record).error("section 'layout': {}", error.what());
  }
  const MatrixShape matrix = weight.matrix();
  if (!holds(layout.out_modes, matrix.rows) || !holds(layout.in_modes, matrix.cols)) {
    throw subject_of(record).error("modes {} x {} do not fit the shape {}",
                                   to_string(layout.out_modes), to_string(layout.in_modes),
                                   to_string(weight.shape));
  }
}

TensorizedWeight read_outline(const Record& record) {
  TensorizedWeight weight{read_head(record)};
  read_layout(record, weight);
  return weight;
}

}  // namespace

std::string factor_name(std::size_t k) { return "factor" + std::to_string(k); }

Record tensorized_outline(const TensorizedWeight& weight, const std::string& name) {
  Record record = record_of(TensorizedCodec::kName, weight, name);
  record.sections.push_back(layout_section(weight));
  return record;
}

Record TensorizedCodec::to_record(const TensorizedWeight& weight, const std::string& name) {
  Record record = tensorized_outline(weight, name);
  for (std::size_t k = 0; k < weight.factors->size(); ++k) {
    add_part(record, factor_name(k), pqw::to_record((*weight.factors)[k], factor_name(k)));
  }
  return record;
}

Record to_record_sharing(const TensorizedWeight& weight, const std::string& name,
                         const std::string& owner) {
  Record record = tensorized_outline(weight, name);
  record.sections.push_back({kShared, DType::kU8, {owner.size()}, bytes_of(owner)});
  return record;
}

std::optional<std::string> shared_with(const Record& record) {
  if (record.codec != TensorizedCodec::kName || record.find(kShared) == nullptr)
    return std::nullopt;
  const Section& section = required_section(record, kShared);
  if (section.dtype != DType::kU8 || section.bytes.size() > kMostNameBytes) {
    throw subject_of(record).error("section 'shared_with' is not a valid tensor name");
  }
  return text_of(section);
}

TensorizedWeight TensorizedCodec::from_record(const Record& record) {
  if (const auto owner = shared_with(record)) {
    throw subject_of(record).error(ErrorCode::kUnsupported,
                                   "shares the factors of tensor '{}', which must be read first",
                                   shown(*owner));
  }
  TensorizedWeight weight = read_outline(record);
  std::vector<pqw::Weight> factors;
  for (const MatrixShape& shape : factor_shapes(weight.layout)) {
    factors.push_back(read_part(record, factor_name(factors.size()), shape));
  }
  weight.factors = std::make_shared<const std::vector<pqw::Weight>>(std::move(factors));
  return weight;
}

TensorizedWeight tensorized_from_record(const Record& record, const TensorizedWeight& owner) {
  TensorizedWeight weight = read_outline(record);
  if (weight.shape != owner.shape || weight.layout != owner.layout) {
    throw subject_of(record).error(
        "its shape or layout differs from the tensor that holds its factors");
  }
  weight.factors = owner.factors;
  return weight;
}

}  // namespace pqw
