// Aliases: records of tensors that equal another tensor of their archive.
#include "codecs/alias.h"

#include "codecs/carried.h"
#include "codecs/record_checks.h"

namespace pqw {
namespace {

constexpr char kSection[] = "tensor";

}  // namespace

Record alias_record(const TensorInfo& info, const std::string& tensor) {
  return record_for(info, kAliasCodec, {kSection, DType::kU8, {tensor.size()}, bytes_of(tensor)});
}

std::string alias_target(const Record& record) {
  require_features(record);
  const Section& section = required_section(record, kSection);
  if (section.dtype != DType::kU8 || section.shape.size() != 1) {
    throw subject_of(record).error(
        "section 'tensor' of type {} and shape {}, expected the bytes of a name",
        to_string(section.dtype), to_string(section.shape));
  }
  return text_of(section);
}

}  // namespace pqw
