// Options of codecs as texts: the grammar that the command line, recipes and archives share.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pqw {

// Pairs of key and value. Options of a part go under its name and a dot: `factors.codec=pq`,
// `factors.block_size=4`. Of a key that is there twice the last value counts.
using Settings = std::vector<std::pair<std::string, std::string>>;

// "key=value,key=value". Errors: kInvalidArgument.
Settings parse_settings(const std::string& text);

// A setting without effect beside the others, as of `seed` where nothing is random, and why:
// "reassign=farthest: engine=faiss does not support it; use engine=native".
struct UnusedSetting {
  std::string key;
  std::string why;
};

// Those of a codec, its factors and its fallback. Empty where settings are wrong, which
// options_from (encode.h) tells.
std::vector<UnusedSetting> unused_settings(const Settings& settings,
                                           const std::string& default_codec = "pq");

// The settings without those that have no effect, except where `own` has their key.
Settings used_settings(Settings settings, const Settings& own);

// `base` with `over` on top. Where `over` names another codec, the options of the codec of `base`
// at that place mean nothing and go; `fallback`, `non_finite` and `thin` (pipeline/recipe.h) are no
// options of a codec and stay.
Settings layered(Settings base, const Settings& over);

// The settings under "part.", without that, and the other ones.
struct PartSettings {
  Settings part;
  Settings others;
};
PartSettings split(const Settings& settings, std::string_view part);

// The settings with "part." in front of every key.
Settings under(std::string_view part, const Settings& settings);

}  // namespace pqw
