// Texts in attributes of the groups of an HDF5 file, as metadata of a weight file.
#include "formats/hdf5_attributes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/utf8.h"
#include "h5/attribute.h"

namespace pqw {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxAttributes = 4096;
// Attributes live in an object header, whose parts hold at most 64 KiB in the oldest format. Texts
// of variable length live elsewhere.
constexpr std::size_t kMaxHeaderBytes = 60000;

constexpr std::string_view kPrefix = "hdf5:", kList = "[]";

std::string key_of(const std::string& group, const std::string& name, bool is_list) {
  if (group.empty() && !is_list && !name.starts_with(kPrefix)) return name;
  return std::string(kPrefix) + group + "@" + name + std::string(is_list ? kList : "");
}

// The texts of a JSON array of texts; empty for another value.
std::optional<std::vector<std::string>> texts_in(const std::string& value) {
  const json list = json::parse(value, nullptr, false);
  const auto is_text = [](const json& item) { return item.is_string(); };
  if (!list.is_array() || !std::ranges::all_of(list, is_text)) return std::nullopt;
  return list.get<std::vector<std::string>>();
}

// Checks nothing. If the key has that form, but its value is not a list, it names an attribute of
// the root group.
Hdf5Attribute parse(std::string_view key, const std::string& value) {
  const std::size_t at = key.rfind('@');
  if (!key.starts_with(kPrefix) || at == key.npos) return {"", std::string(key), {value}};
  Hdf5Attribute attribute{std::string(key.substr(kPrefix.size(), at - kPrefix.size())),
                          std::string(key.substr(at + 1)),
                          {value}};
  if (!attribute.name.ends_with(kList)) return attribute;
  const auto texts = texts_in(value);
  if (!texts) return {"", std::string(key), {value}};
  attribute.name.resize(attribute.name.size() - kList.size());
  attribute.values = *texts;
  attribute.is_list = true;
  return attribute;
}

}  // namespace

bool read_attributes(h5::Id group, const std::string& path, Metadata& metadata,
                     std::size_t& bytes_left, const Subject& subject) {
  for (auto& [name, texts] : h5::read_all_texts(group, bytes_left, kMaxAttributes, subject)) {
    if (!is_utf8(name) || !std::ranges::all_of(texts.values, is_utf8)) continue;
    std::string value = texts.is_list ? json(texts.values).dump() : texts.values.front();
    const std::string key = key_of(path, name, texts.is_list);
    if (key.size() + value.size() > bytes_left) return false;
    bytes_left -= key.size() + value.size();
    metadata[key] = std::move(value);
  }
  return true;
}

Hdf5Attribute attribute_of(const std::string& key, const std::string& value,
                           const Subject& subject) {
  Hdf5Attribute attribute = parse(key, value);
  const auto has_zero = [](const std::string& text) { return text.find('\0') != text.npos; };
  const std::vector<std::string>& values = attribute.values;
  if (attribute.name.empty() || has_zero(key) || !is_utf8(key) ||
      std::ranges::any_of(values, has_zero) || !std::ranges::all_of(values, is_utf8)) {
    throw subject.error(ErrorCode::kUnsupported,
                        "HDF5 holds UTF-8 without zero bytes under a key that is not empty");
  }
  std::size_t width = 0;
  for (const std::string& text : values) width = std::max(width, text.size());
  const std::size_t n_bytes =
      attribute.name.size() + (attribute.is_list ? values.size() * width : 0);
  if (n_bytes > kMaxHeaderBytes) {
    throw subject.error(ErrorCode::kUnsupported, "{} bytes, HDF5 holds about {}", n_bytes,
                        kMaxHeaderBytes);
  }
  return attribute;
}

void write_attribute(h5::Id group, const Hdf5Attribute& attribute, const Subject& subject) {
  if (attribute.is_list) {
    h5::write_text_list(group, attribute.name, attribute.values, subject);
  } else if (attribute.name.size() + attribute.values.front().size() > kMaxHeaderBytes) {
    h5::write_long_text(group, attribute.name, attribute.values.front(), subject);
  } else {
    h5::write_text(group, attribute.name, attribute.values.front(), subject);
  }
}

}  // namespace pqw
