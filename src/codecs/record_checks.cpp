// Makes and checks the parts of a record that all codecs have.
#include "codecs/record_checks.h"

#include <algorithm>

namespace pqw {

bool has_feature(const Record& record, std::string_view feature) {
  return std::ranges::find(record.features, feature) != record.features.end();
}

void require_features(const Record& record, std::span<const std::string_view> known) {
  for (const std::string& feature : record.features) {
    if (std::ranges::find(known, feature) != known.end()) continue;
    throw subject_of(record).error(ErrorCode::kUnsupported, "feature '{}' is not known",
                                   shown(feature));
  }
}

Record record_of(const char* codec, const WeightHead& head, const std::string& name) {
  return {.info = {name, head.dtype, head.shape},
          .codec = codec,
          .features = {},
          .options = head.options,
          .sections = {}};
}

Record transposed(Record record, const TensorInfo& info) {
  record.info.shape = info.shape;
  record.info.layout = info.layout;
  if (!info.layout.axes.empty()) record.features.push_back(kTransposed);
  return record;
}

WeightHead read_head(const Record& record, std::vector<std::string_view> known_features) {
  known_features.push_back(kTransposed);
  require_features(record, known_features);
  const std::vector<std::size_t>& axes = record.info.layout.axes;
  if (has_feature(record, kTransposed) == axes.empty() ||
      !(axes.empty() || is_permutation(axes, record.info.shape.size()))) {
    throw subject_of(record).error(
        "axes {} of shape {}, expected each dimension once with the feature 'transposed', none "
        "without it",
        to_string(axes), to_string(record.info.shape));
  }
  if (!checked_byte_count(record.info.shape, record.info.dtype) || record.info.shape.size() < 2) {
    throw subject_of(record).error("shape {} cannot be of codec {}, expected rank 2 or more",
                                   to_string(record.info.shape), record.codec);
  }
  if (!is_compressible(record.info.dtype)) {
    throw subject_of(record).error("type {} cannot be of codec {}, expected a float type",
                                   to_string(record.info.dtype), record.codec);
  }
  return {canonical_shape(record.info.shape, axes), record.info.dtype, record.options};
}

const Section& required_section(const Record& record, const std::string& name) {
  const Section* section = record.find(name);
  if (section == nullptr) throw subject_of(record).error("section '{}' is missing", name);
  if (section->bytes.size() != checked_byte_count(section->shape, section->dtype)) {
    throw subject_of(record).error("section '{}': {} bytes do not fit its shape {}", name,
                                   section->bytes.size(), to_string(section->shape));
  }
  return *section;
}

}  // namespace pqw
