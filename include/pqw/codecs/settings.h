// Options of codecs as texts: the grammar that the command line, recipes and archives share.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pqw {

// Pairs of key and value. Options of a part go under its name and a dot: `factors.codec=pq`,
// `factors.block_size=4`. If a key appears twice, the last value counts.
using Settings = std::vector<std::pair<std::string, std::string>>;

// "key=value,key=value". Errors: kInvalidArgument.
Settings parse_settings(const std::string& text);

// A setting that has no effect together with the others (for example `seed` when nothing is
// random), and why: "reassign=farthest: engine=faiss does not support it; use engine=native".
struct UnusedSetting {
  std::string key;
  std::string why;
};

// The unused settings of a codec, its factors and its fallback. Empty if a setting is wrong:
// options_from (encode.h) reports that.
std::vector<UnusedSetting> unused_settings(const Settings& settings,
                                           const std::string& default_codec = "pq");

// `settings` without the unused ones. An unused setting stays if `own` has its key.
Settings used_settings(Settings settings, const Settings& own);

// `base` with `over` on top. If `over` names another codec, the options that `base` has for its own
// codec are dropped. `fallback`, `non_finite` and `thin` (pipeline/recipe.h) do not belong to a
// codec and stay.
Settings layered(Settings base, const Settings& over);

// The settings whose key starts with "part.", without that prefix, and all other settings.
struct PartSettings {
  Settings part;
  Settings others;
};
PartSettings split(const Settings& settings, std::string_view part);

// The settings with "part." in front of every key.
Settings under(std::string_view part, const Settings& settings);

}  // namespace pqw
