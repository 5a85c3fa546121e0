// Tensors whose type archives do not have.
#include "codecs/carried.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "codecs/record_checks.h"

namespace pqw {
namespace {

constexpr char kSection[] = "bytes";
constexpr std::string_view kDtype = "dtype=";
constexpr std::string_view kBytes = ",bytes=";

// Parses a size that describe_for_archive wrote.
std::optional<std::size_t> parse_size(std::string_view text) {
  std::size_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr std::size_t kMax = std::numeric_limits<std::ptrdiff_t>::max();
  const bool is_exact = status == std::errc() && value <= kMax && std::to_string(value) == text;
  return is_exact ? std::optional(value) : std::nullopt;
}

// The tensor that the options describe; empty if they are malformed.
std::optional<TensorInfo> parse(const Description& description) {
  std::string_view text = description.options;
  if (!text.starts_with(kDtype)) return std::nullopt;
  text.remove_prefix(kDtype.size());
  const std::size_t comma = std::min(text.find(','), text.size());
  const std::string_view name = text.substr(0, comma);
  text.remove_prefix(comma);
  TensorInfo info = description.info;
  if (const auto dtype = dtype_from_string(name)) {
    info.dtype = *dtype;
    const bool fits = !is_basic(*dtype) && checked_byte_count(info);
    // If the writer did not know the type, the options give the number of bytes.
    const bool says_size =
        text.empty() || (fits && text == std::string(kBytes) + std::to_string(byte_count(info)));
    return fits && says_size ? std::optional(info) : std::nullopt;
  }
  if (!is_dtype_name(name) || !text.starts_with(kBytes)) return std::nullopt;
  const auto n_bytes = parse_size(text.substr(kBytes.size()));
  if (!n_bytes) return std::nullopt;
  info.dtype = DType::kUnknown;
  info.unknown = UnknownType{std::string(name), *n_bytes};
  return info;
}

}  // namespace

Description describe_for_archive(const TensorInfo& info) {
  if (is_basic(info.dtype)) return {info, ""};
  Description description{{info.name, DType::kU8, info.shape, {}, info.layout},
                          std::string(kDtype) + std::string(dtype_name(info))};
  if (info.unknown) {
    description.options += std::string(kBytes) + std::to_string(info.unknown->n_bytes);
  }
  return description;
}

TensorInfo info_from(const Description& description) {
  if (description.options.empty()) return description.info;
  const auto info = parse(description);
  if (info && description.info.dtype == DType::kU8) return *info;
  throw tensor_subject(description.info.name, ErrorCode::kCorrupt)
      .error(
          "options '{}' of a tensor of type {} and shape {}, expected the type that it stands for",
          shown(description.options), to_string(description.info.dtype),
          to_string(description.info.shape));
}

Record record_for(const TensorInfo& info, const char* codec, Section section) {
  auto [described, options] = describe_for_archive(info);
  return {std::move(described), codec, {}, std::move(options), {std::move(section)}};
}

Record carried_record(const TensorInfo& info, std::span<const std::byte> bytes) {
  return record_for(info, kCarriedCodec,
                    {kSection, DType::kU8, {byte_count(info)}, bytes_of(bytes)});
}

std::span<const std::byte> carried_bytes(const Record& record) {
  require_features(record);
  const TensorInfo info = info_from({record.info, record.options});
  const Section& section = required_section(record, kSection);
  const bool is_array = section.dtype == DType::kU8 && section.shape.size() == 1;
  if (is_basic(info.dtype) || !is_array || section.bytes.size() != byte_count(info)) {
    throw subject_of(record).error("section 'bytes': {} bytes of shape {}, shape {} of {} needs {}",
                                   section.bytes.size(), to_string(section.shape),
                                   to_string(info.shape), dtype_name(info), byte_count(info));
  }
  return section.bytes;
}

}  // namespace pqw
