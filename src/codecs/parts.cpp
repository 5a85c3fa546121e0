// Weights inside of the record of another weight.
#include "codecs/parts.h"

#include <algorithm>
#include <cmath>

#include "codecs/record_checks.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

Weight read_plain_part(const Record& record, const Section& section) {
  std::vector<float> values(element_count(section.shape));
  to_float(section.bytes, section.dtype, values);
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    corrupt_record(record, "section '" + section.name + "' holds NaN or infinity");
  }
  return PlainWeight{section.shape, section.dtype, section.bytes};
}

// "codec=pq,block_size=4,centroids=256" with a text before every key; empty for a plain weight.
std::string described(const Weight& weight, const std::string& before) {
  if (std::holds_alternative<PlainWeight>(weight)) return "";
  std::string text = "," + before + "codec=" + codec_name(weight);
  std::string rest = summary(weight);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    text += "," + before + rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
  }
  return text;
}

}  // namespace

void add_part(Record& record, const std::string& name, const Weight& part) {
  if (const auto* plain = std::get_if<PlainWeight>(&part)) {
    record.sections.push_back({name, plain->dtype, plain->shape, plain->bytes});
  } else {
    record.parts.push_back(to_record(part, name));
  }
}

const Shape& part_shape(const Record& record, const std::string& name) {
  if (const Record* part = record.find_part(name)) return part->info.shape;
  return required_section(record, name).shape;
}

Weight read_part(const Record& record, const std::string& name, MatrixShape shape) {
  const Record* part = record.find_part(name);
  const Shape expected{shape.rows, shape.cols};
  const Shape& found = part_shape(record, name);
  const DType dtype = part != nullptr ? part->info.dtype : required_section(record, name).dtype;
  if (found != expected || !is_compressible(dtype)) {
    corrupt_record(record, "section '" + name + "': shape " + to_string(found) + " of " +
                               std::string(to_string(dtype)) + ", expected " + to_string(expected) +
                               " of a float type");
  }
  if (part == nullptr) return read_plain_part(record, required_section(record, name));
  try {
    return weight_from_record(*part);
  } catch (const Error& error) {
    throw Error(error.code(), quoted("tensor", record.info.name) + ": " + error.what());
  }
}

std::string summary_of_parts(const std::vector<std::pair<std::string, const Weight*>>& parts) {
  const std::string first = described(*parts.front().second, "factors.");
  const bool alike = std::ranges::all_of(
      parts, [&](const auto& part) { return described(*part.second, "factors.") == first; });
  if (alike) return first;
  std::string text;
  for (const auto& [name, weight] : parts) text += described(*weight, name + ".");
  return text;
}

}  // namespace pqw
