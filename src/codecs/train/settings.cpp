// Options of codecs as texts.
#include "pqw/codecs/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "pqw/core/error.h"

namespace pqw {
namespace {

constexpr std::string_view kCodec = "codec";
constexpr std::string_view kFallback = "fallback.";
constexpr std::string_view kNonFinite = "non_finite";  // as well
constexpr std::string_view kThin = "thin";             // as well

bool names_codec(const std::string& key) { return key == kCodec || key.ends_with(".codec"); }

// The last value of a key; empty when there is none.
std::string value_of(const Settings& settings, const std::string& key) {
  const auto found = std::find_if(settings.rbegin(), settings.rend(),
                                  [&](const auto& setting) { return setting.first == key; });
  return found == settings.rend() ? "" : found->second;
}

}  // namespace

Settings parse_settings(const std::string& text) {
  Settings settings;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': expected key=value,key=value", text));
    }
    settings.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    begin = end + 1;
  }
  return settings;
}

Settings layered(Settings base, const Settings& over) {
  for (const auto& [key, value] : over) {
    if (!names_codec(key)) continue;
    const std::string place = key.substr(0, key.size() - kCodec.size());
    const std::string before = value_of(base, key);
    const bool unchanged = before.empty() ? place.empty() && value == "pq" : before == value;
    if (unchanged) continue;
    std::erase_if(base, [&](const auto& setting) {
      const bool of_no_codec = setting.first.starts_with(kFallback) ||
                               setting.first == kNonFinite || setting.first == kThin;
      const bool kept = place.empty() && of_no_codec;
      return setting.first.starts_with(place) && !kept;
    });
  }
  base.insert(base.end(), over.begin(), over.end());
  return base;
}

Settings used_settings(Settings settings, const Settings& own) {
  for (const UnusedSetting& unused : unused_settings(settings)) {
    const auto has_key = [&](const auto& setting) { return setting.first == unused.key; };
    if (std::ranges::none_of(own, has_key)) std::erase_if(settings, has_key);
  }
  return settings;
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
