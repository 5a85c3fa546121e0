// Settings: options as pairs of text, in the grammar of command line, recipes and archives.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pqw {

// Pairs of key and value. Settings of a part have its name and a dot in front: `factors.codec=pq`,
// `factors.block_size=4`. If a key appears twice, the last value counts.
using Settings = std::vector<std::pair<std::string, std::string>>;

// "key=value,key=value". Errors: kInvalidArgument.
Settings parse_settings(const std::string& text);

bool has_key(const Settings& settings, std::string_view key);

// The settings whose key starts with "part.", without that prefix, and all other settings.
struct PartSettings {
  Settings part;
  Settings others;
};
PartSettings split(const Settings& settings, std::string_view part);

// Returns the settings with "part." in front of every key.
Settings under(std::string_view part, const Settings& settings);

// A setting that has no effect together with the others (for example `seed` when nothing is
// random), and why: "reassign=farthest: engine=faiss does not support it; use engine=native".
struct UnusedSetting {
  std::string key;
  std::string why;
};

// The unused settings of a codec and its factors. Empty if a setting is wrong: options_from
// (encode.h) reports that.
std::vector<UnusedSetting> unused_options(const Settings& settings,
                                          const std::string& default_codec = "pq");

// The help text of one key.
struct SettingHelp {
  std::string codec;     // the codec that has the option; empty if the key is of no codec
  std::string key;       // "block_size"; "factors.KEY" stands for all keys of a part
  std::string values;    // "N|auto"
  std::string standard;  // the default; may be empty
  std::string help;
  bool has_flag = true;  // `pqw quantize` has a flag for it
};

// The keys of options_from (encode.h): `codec`, `factors.KEY`, and the options of every codec.
std::vector<SettingHelp> settings_help();

}  // namespace pqw
