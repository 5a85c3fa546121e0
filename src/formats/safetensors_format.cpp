// Writes the JSON header of a safetensors file.
#include <fmt/format.h>

#include <cassert>
#include <nlohmann/json.hpp>

#include "core/subject.h"
#include "core/utf8.h"
#include "formats/byte_order.h"
#include "formats/safetensors_header.h"

namespace pqw {
namespace {

constexpr std::size_t kAlignment = 8;

// A JSON string literal. REQUIRES: is_utf8(text).
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string format_metadata(const std::string& path, const Metadata& metadata) {
  std::string json;
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(key) || !is_utf8(value)) {
      throw Subject{path}.error(ErrorCode::kUnsupported, "metadata '{}' is not UTF-8", shown(key));
    }
    json += fmt::format("{}{}:{}", json.empty() ? "" : ",", quoted(key), quoted(value));
  }
  return fmt::format("\"{}\":{{{}}}", kSafetensorsMetadataKey, json);
}

std::string format_entry(const std::string& path, const SafetensorsEntry& entry) {
  const auto subject = [&] {
    return Subject{path, ErrorCode::kUnsupported}.in("tensor", entry.info.name);
  };
  if (!is_utf8(entry.info.name)) throw subject().error("the name is not UTF-8");
  if (entry.info.name == kSafetensorsMetadataKey) {
    throw subject().error("safetensors reserves the name");
  }
  assert(is_dtype_name(dtype_name(entry.info)));
  return fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                     quoted(entry.info.name), dtype_name(entry.info),
                     fmt::join(entry.info.shape, ","), entry.begin, entry.end);
}

}  // namespace

std::string format_safetensors_header(const std::string& path, const SafetensorsHeader& header) {
  std::string text(sizeof(std::uint64_t), '\0');
  text += '{';
  if (!header.metadata.empty()) text += format_metadata(path, header.metadata);
  for (const SafetensorsEntry& entry : header.entries) {
    if (text.back() != '{') text += ',';
    text += format_entry(path, entry);
  }
  text += '}';
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const std::size_t json_bytes = text.size() - sizeof(std::uint64_t);
  if (json_bytes > kSafetensorsMaxHeaderBytes) {
    throw Subject{path}.error(ErrorCode::kUnsupported,
                              "the header needs {} bytes, safetensors allows {}", json_bytes,
                              kSafetensorsMaxHeaderBytes);
  }
  store_little_endian<std::uint64_t>(json_bytes, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace pqw
