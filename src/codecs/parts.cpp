// Weights inside of the record of another weight.
#include "codecs/parts.h"

#include <algorithm>

#include "codecs/record_checks.h"

namespace pqw {
namespace {

// "codec=pq,block_size=4,centroids=256" with a text before every key; empty for a plain weight.
std::string described(const PartSummary& part, const std::string& before) {
  if (part.codec == PlainCodec::kName) return "";
  std::string text = "," + before + "codec=" + part.codec;
  std::string rest = part.summary;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    text += "," + before + rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
  }
  return text;
}

}  // namespace

void add_part(Record& record, const std::string& name, Record part) {
  if (part.codec == PlainCodec::kName) {
    part.sections.front().name = name;
    record.sections.push_back(std::move(part.sections.front()));
  } else {
    part.info.name = name;
    record.parts.push_back(std::move(part));
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
  const bool has_axes = part != nullptr && !part->info.layout.axes.empty();
  if (found != expected || has_axes || !is_compressible(dtype)) {
    throw subject_of(record).error("section '{}': shape {} of {}, expected {} of a float type",
                                   name, to_string(found), to_string(dtype), to_string(expected));
  }
  try {
    if (part != nullptr) return weight_from_record(*part);
    const Section& section = required_section(record, name);
    return PlainCodec::from_record(
        PlainCodec::to_record({{section.shape, section.dtype}, section.bytes}, name));
  } catch (const Error& error) {
    throw subject_of(record).error(error.code(), "{}", error.what());
  }
}

std::string summary_of_parts(const std::vector<PartSummary>& parts) {
  const std::string first = described(parts.front(), "factors.");
  const bool alike = std::ranges::all_of(
      parts, [&](const PartSummary& part) { return described(part, "factors.") == first; });
  if (alike) return first;
  std::string text;
  for (const PartSummary& part : parts) text += described(part, part.name + ".");
  return text;
}

}  // namespace pqw
