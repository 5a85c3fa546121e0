// The names and numbers of the archive format (docs/archive_format.md) that several files need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pqw::archive {

inline constexpr std::uint64_t kVersion = 2;  // that is written
inline constexpr std::uint64_t kFirstVersion = 1;

// Root group.
inline constexpr char kFormatAttribute[] = "format";
inline constexpr char kFormat[] = "pqw";
inline constexpr char kVersionAttribute[] = "version";
inline constexpr char kManifestDataset[] = "manifest";

// Root group of version 2, and the bytes of /data that one digest is of.
inline constexpr char kDataDataset[] = "data";
inline constexpr char kIndexDataset[] = "index";
inline constexpr std::size_t kChunkBytes = 65536;

// Root group of version 1, and the attributes of its compressed tensors.
inline constexpr char kMetadataDataset[] = "metadata";
inline constexpr char kTensorsGroup[] = "tensors";
inline constexpr char kCodecAttribute[] = "codec";
inline constexpr char kDtypeAttribute[] = "dtype";
inline constexpr char kShapeAttribute[] = "shape";
inline constexpr char kFeaturesAttribute[] = "features";
inline constexpr char kOptionsAttribute[] = "options";

// The codec of tensors that are stored as they were; no record may claim it.
inline constexpr char kPlainCodec[] = "plain";

// Limits, which writer and reader check.
inline constexpr std::size_t kMaxNameBytes = 65536;     // of a tensor, before escaping
inline constexpr std::size_t kMaxIdentifierBytes = 64;  // codec, feature, section
inline constexpr std::size_t kMaxOptionsBytes = 32768;
inline constexpr std::size_t kMaxFeatures = 32;
inline constexpr std::size_t kMaxSections = 64;  // and parts, together
inline constexpr std::size_t kMaxDepth = 4;      // a tensor is 1, its parts 2, theirs 3, ...
inline constexpr std::size_t kMaxTensors = std::size_t{1} << 24;

// 1 to 64 lower-case letters, digits and underscores: names of codecs, features and sections.
constexpr bool is_identifier(std::string_view text) {
  if (text.empty() || text.size() > kMaxIdentifierBytes) return false;
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

// The path of a tensor from the root group of version 1.
inline std::string tensor_path(std::string_view link) {
  return std::string(kTensorsGroup) + "/" + std::string(link);
}

// The text of the attribute `features`.
inline std::string joined_features(const std::vector<std::string>& features) {
  std::string text;
  for (const std::string& feature : features) text += (text.empty() ? "" : ",") + feature;
  return text;
}

// The name of a tensor as UTF-8: '%' and bytes that are not part of a character become %XX with
// upper-case digits. Every other byte stays. Different names give different texts.
std::string text_from_name(std::string_view name);

// The inverse; empty for a text that text_from_name never gives.
std::optional<std::string> name_from_text(std::string_view text);

// The name of a tensor that a link of version 1 stands for: '/', '%', bytes below 0x20 and 0x7f are
// %XX in it; the name "." is "%2E" and the empty name "%". Empty for any other spelling.
std::optional<std::string> name_from_link(std::string_view link);

}  // namespace pqw::archive
