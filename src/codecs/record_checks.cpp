// What the records of all codecs have in common, and what reading one checks first.
#include "codecs/record_checks.h"

#include <algorithm>

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {

void corrupt_record(const Record& record, const std::string& what) {
  throw Error(ErrorCode::kCorrupt, quoted("tensor", record.info.name) + ": " + what);
}

void require_features(const Record& record, std::span<const std::string_view> known) {
  for (const std::string& feature : record.features) {
    if (std::ranges::find(known, feature) != known.end()) continue;
    throw Error(ErrorCode::kUnsupported, quoted("tensor", record.info.name) + ": " +
                                             quoted("feature", feature) + " is not known");
  }
}

Record record_of(const char* codec, const WeightHead& head, const std::string& name) {
  return {.info = {name, head.dtype, head.shape},
          .codec = codec,
          .features = {},
          .options = head.options,
          .sections = {}};
}

WeightHead read_head(const Record& record, std::span<const std::string_view> known_features) {
  require_features(record, known_features);
  if (!checked_byte_count(record.info.shape, record.info.dtype) || record.info.shape.size() < 2) {
    corrupt_record(record, "shape " + to_string(record.info.shape) + " cannot be of codec " +
                               record.codec + ", expected rank 2 or more");
  }
  if (!is_compressible(record.info.dtype)) {
    corrupt_record(record, "type " + std::string(to_string(record.info.dtype)) +
                               " cannot be of codec " + record.codec + ", expected a float type");
  }
  return {record.info.shape, record.info.dtype, record.options};
}

const Section& required_section(const Record& record, const std::string& name) {
  const Section* section = record.find(name);
  if (section == nullptr) corrupt_record(record, "section '" + name + "' is missing");
  if (section->bytes.size() != checked_byte_count(section->shape, section->dtype)) {
    corrupt_record(record, "section '" + name + "': " + std::to_string(section->bytes.size()) +
                               " bytes do not fit its shape " + to_string(section->shape));
  }
  return *section;
}

}  // namespace pqw
