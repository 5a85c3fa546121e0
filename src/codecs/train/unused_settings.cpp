// Finds settings that have no effect together with the others.
#include <fmt/format.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

constexpr std::string_view kNonFinite = "non_finite";
constexpr std::string_view kThin = "thin";

void add(const std::string& key, const std::string& value, const std::string& why,
         std::vector<UnusedSetting>& unused) {
  if (!why.empty()) unused.push_back({key, fmt::format("{}={}: {}", key, value, why)});
}

// Adds the unused options of the codec itself.
void add_own(const Settings& settings, const CodecOptions& options,
             std::vector<UnusedSetting>& unused) {
  for (const auto& [key, value] : settings) {
    if (key != "codec") add(key, value, why_unused(options, key), unused);
  }
}

void add_part(const char* part, const Settings& settings, const std::string& default_codec,
              std::vector<UnusedSetting>& unused) {
  for (const auto& [key, why] : unused_settings(settings, default_codec)) {
    unused.push_back({fmt::format("{}.{}", part, key), fmt::format("{}.{}", part, why)});
  }
}

}  // namespace

std::vector<UnusedSetting> unused_settings(const Settings& settings,
                                           const std::string& default_codec) try {
  if (settings.empty()) return {};
  const auto [fallback, rest] = split(settings, "fallback");
  const auto [factors, own] = split(rest, "factors");
  Settings codec;
  Settings policies;
  for (const auto& setting : own) {
    const bool policy = setting.first == kNonFinite || setting.first == kThin;
    (policy ? policies : codec).push_back(setting);
  }
  std::vector<UnusedSetting> unused;
  const CodecOptions options = parse_options(codec, default_codec);
  add_own(codec, options, unused);
  add_part("factors", factors, PlainOptions::kCodec, unused);
  add_part("fallback", fallback, PqOptions::kCodec, unused);
  if (!std::holds_alternative<PlainOptions>(options)) return unused;
  for (const auto& [key, value] : policies) {
    add(key, value, "codec=plain keeps every tensor as it is", unused);
  }
  for (const auto& [key, value] : under("fallback", fallback)) {
    add(key, value, "codec=plain needs no fallback", unused);
  }
  return unused;
} catch (const Error&) {
  return {};
}

}  // namespace pqw
