// What the format allows for a tensor, in any version.
#include "archive/record_checks.h"

#include <set>

#include "archive/layout.h"
#include "core/utf8.h"
#include "h5/dataset.h"

namespace pqw::archive {
namespace {

template <class... Args>
void require(bool ok, const Subject& subject, fmt::format_string<Args...> what, Args&&... args) {
  if (!ok) throw subject.error(what, std::forward<Args>(args)...);
}

void check_array(DType dtype, const Shape& shape, const Subject& subject) {
  require(is_basic(dtype), subject, "a type that archives do not have");
  if (shape.size() > h5::kMaxRank) {
    throw subject.error(ErrorCode::kUnsupported, "{} dimensions, archives hold at most {}",
                        shape.size(), h5::kMaxRank);
  }
  require(checked_byte_count(shape, dtype).has_value(), subject, "shape {} overflows 63 bits",
          to_string(shape));
}

void check_at_depth(const Record& record, std::size_t depth, const Subject& subject) {
  require(depth <= kMaxDepth, subject, "parts are nested beyond a depth of {}", kMaxDepth);
  require(is_identifier(record.codec) && record.codec != kPlainCodec, subject,
          "codec '{}' is not a valid codec name", shown(record.codec));
  require(record.features.size() <= kMaxFeatures, subject, "more than {} features", kMaxFeatures);
  for (const std::string& feature : record.features) {
    require(is_identifier(feature), subject, "feature '{}' is not a valid feature name",
            shown(feature));
  }
  const std::string& options = record.options;
  require(
      options.size() <= kMaxOptionsBytes && options.find('\0') == options.npos && is_utf8(options),
      subject, "the text of options is longer than 32 KiB, holds a zero byte or is not UTF-8");
  require(record.sections.size() + record.parts.size() <= kMaxSections, subject,
          "more than {} sections", kMaxSections);
  std::set<std::string_view> names;
  const auto check_name = [&](const std::string& name, const Subject& of_section) {
    require(is_identifier(name), of_section, "not a valid section name");
    require(names.insert(name).second, of_section, "the name is given twice");
  };
  for (const Section& section : record.sections) {
    const Subject of_section = subject.in("section", section.name);
    check_name(section.name, of_section);
    check_array(section.dtype, section.shape, of_section);
  }
  for (const Record& part : record.parts) {
    const Subject of_part = subject.in("section", part.info.name);
    check_name(part.info.name, of_part);
    check_array(part.info.dtype, part.info.shape, of_part);
    check_at_depth(part, depth + 1, of_part);
  }
}

}  // namespace

void check_tensor(const TensorInfo& info, const Subject& subject) {
  require(is_basic(info.dtype), subject, "type {}, which archives do not have", dtype_name(info));
  require(info.name.size() <= kMaxNameBytes, subject, "the name is longer than 64 KiB");
  check_array(info.dtype, info.shape, subject);
  const std::vector<std::size_t>& axes = info.layout.axes;
  require(axes.empty() || is_permutation(axes, info.shape.size()), subject,
          "axes {} of a tensor of rank {}, expected each of its dimensions once", to_string(axes),
          info.shape.size());
}

void check_record(const Record& record, const Subject& subject) {
  check_at_depth(record, 1, subject);
}

}  // namespace pqw::archive
