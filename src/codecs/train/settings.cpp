// Options of codecs as texts.
#include "pqw/codecs/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/subject.h"

namespace pqw {
Settings parse_settings(const std::string& text) {
  Settings settings;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw invalid_argument("'{}': expected key=value,key=value", shown(text));
    }
    settings.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    begin = end + 1;
  }
  return settings;
}

bool has_key(const Settings& settings, std::string_view key) {
  return std::ranges::find(settings, key, &Settings::value_type::first) != settings.end();
}

PartSettings split(const Settings& settings, std::string_view part) {
  const std::string prefix = std::string(part) + ".";
  PartSettings result;
  for (const auto& [key, value] : settings) {
    if (key.starts_with(prefix)) {
      result.part.emplace_back(key.substr(prefix.size()), value);
    } else {
      result.others.emplace_back(key, value);
    }
  }
  return result;
}

Settings under(std::string_view part, const Settings& settings) {
  Settings result;
  for (const auto& [key, value] : settings)
    result.emplace_back(fmt::format("{}.{}", part, key), value);
  return result;
}

}  // namespace pqw
