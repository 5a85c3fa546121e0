// What reading a record of any codec checks first.
#include "codecs/record_checks.h"

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {

void corrupt_record(const Record& record, const std::string& what) {
  throw Error(ErrorCode::kCorrupt, quoted("tensor", record.info.name) + ": " + what);
}

void require_no_features(const Record& record) {
  if (record.features.empty()) return;
  throw Error(ErrorCode::kUnsupported, quoted("tensor", record.info.name) + ": " +
                                           quoted("feature", record.features.front()) +
                                           " is not known");
}

void require_matrix_record(const Record& record) {
  require_no_features(record);
  if (!checked_byte_count(record.info.shape, record.info.dtype) || record.info.shape.size() < 2) {
    corrupt_record(record, "shape " + to_string(record.info.shape) + " cannot be of codec " +
                               record.codec + ", expected rank 2 or more");
  }
  if (!is_compressible(record.info.dtype)) {
    corrupt_record(record, "type " + std::string(to_string(record.info.dtype)) +
                               " cannot be of codec " + record.codec + ", expected a float type");
  }
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
