// Recipes as text: --set rules and YAML files.
#include "pqw/compress/recipe.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "compress/tensor_settings.h"
#include "core/subject.h"
#include "io/input_file.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

// A file that is being read.
struct RecipeFile {
  const std::string& path;
  // What may still be read: a file of some hundred bytes stands for millions of values when aliases
  // name maps of aliases.
  std::size_t bytes_left = std::size_t{4} << 20;
};

std::string line_of(const YAML::Mark& mark) {
  return mark.is_null() ? "" : fmt::format("line {}: ", mark.line + 1);
}

[[noreturn]] void bad_recipe(const RecipeFile& file, const YAML::Node& node,
                             const std::string& what) {
  throw Subject{file.path}.error(ErrorCode::kInvalidArgument, "{}{}", line_of(node.Mark()), what);
}

std::string scalar(RecipeFile& file, const YAML::Node& node) {
  if (!node.IsScalar()) bad_recipe(file, node, "expected a single value");
  const std::size_t bytes = node.Scalar().size() + sizeof(YAML::Node);
  if (bytes > file.bytes_left) bad_recipe(file, node, "too many values, aliases counted each time");
  file.bytes_left -= bytes;
  return node.Scalar();
}

// One value, or a list of values joined by 'x'.
std::string value_of(RecipeFile& file, const YAML::Node& node) {
  if (!node.IsSequence()) return scalar(file, node);
  std::string text;
  for (const auto& item : node) {
    if (!text.empty()) text += 'x';
    text += scalar(file, item);
  }
  return text;
}

// Settings of a recipe and the nodes of their keys, for messages.
struct Located {
  Settings settings;
  std::vector<YAML::Node> nodes;
};

// The key of an item of a map, which has it once.
std::string next_key(RecipeFile& file, const YAML::Node& node, std::set<std::string>& keys) {
  std::string key = scalar(file, node);
  if (!keys.insert(key).second)
    bad_recipe(file, node, fmt::format("'{}' appears twice", shown(key)));
  return key;
}

void collect(RecipeFile& file, const YAML::Node& map, const std::string& prefix, Located& located) {
  constexpr std::size_t kLongestKey = 256;  // bounds the depth: who nests deeper means no setting
  constexpr std::size_t kMostSettings = 1000;
  if (!map.IsMap()) bad_recipe(file, map, "expected option: value pairs");
  if (prefix.size() > kLongestKey) bad_recipe(file, map, "nested too deep");
  std::set<std::string> keys;
  for (const auto& item : map) {
    const std::string key = prefix + next_key(file, item.first, keys);
    if (item.second.IsMap()) {
      collect(file, item.second, key + ".", located);
    } else {
      if (has_key(located.settings, key)) {
        bad_recipe(file, item.first, fmt::format("'{}' appears twice", shown(key)));
      }
      if (located.nodes.size() == kMostSettings) bad_recipe(file, item.first, "too many settings");
      located.settings.emplace_back(key, value_of(file, item.second));
      located.nodes.push_back(item.first);
    }
  }
}

// What is wrong with settings; empty when nothing is.
std::string mistake_in(const Settings& settings) {
  try {
    check_settings(settings);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// The keys of a rule that are not settings.
const Words kPatternKeys = {"pattern", "optional"};

[[noreturn]] void unknown_key(const RecipeFile& file, const YAML::Node& node,
                              const std::string& key, const Words& known) {
  bad_recipe(file, node,
             fmt::format("unknown key '{}': expected {}{}", shown(key), listed(known),
                         did_you_mean(key, known)));
}

// Stops at the first of these settings that is there.
void refuse_unused(RecipeFile& file, const Located& located,
                   const std::vector<UnusedSetting>& unused) {
  for (const auto& [key, why] : unused) {
    const auto found = std::ranges::find(located.settings, key, &Settings::value_type::first);
    if (found == located.settings.end()) continue;
    const auto at = static_cast<std::size_t>(found - located.settings.begin());
    bad_recipe(file, located.nodes[at], why);
  }
}

// Checks all settings, then each beside the codecs that all of them name, so that messages can tell
// the line. Whether settings have an effect is left to refuse_unused.
void check(RecipeFile& file, const Located& located, const Settings& defaults) {
  const auto used = [&](const Settings& own) { return used_settings(layered(defaults, own), {}); };
  const std::string mistake = mistake_in(used(located.settings));
  if (mistake.empty()) return;
  Settings codecs;
  for (const auto& setting : located.settings) {
    if (setting.first == "codec" || setting.first.ends_with(".codec")) codecs.push_back(setting);
  }
  for (std::size_t i = 0; i < located.settings.size(); ++i) {
    Settings settings = codecs;
    settings.push_back(located.settings[i]);
    const std::string one = mistake_in(used(settings));
    if (!one.empty()) bad_recipe(file, located.nodes[i], one);
  }
  bad_recipe(file, located.nodes.front(), mistake);
}

Located read_defaults(RecipeFile& file, const YAML::Node& node) {
  Located located;
  collect(file, node, "", located);
  check(file, located, {});
  return located;
}

// Removes the keys of a pattern from the settings of a rule. A mistyped key of a pattern is an
// error.
void take_pattern_keys(RecipeFile& file, Located& located) {
  Located others;
  for (std::size_t i = 0; i < located.settings.size(); ++i) {
    const std::string& key = located.settings[i].first;
    if (std::ranges::find(kPatternKeys, key) != kPatternKeys.end()) continue;
    if (!nearest(key, kPatternKeys).empty()) unknown_key(file, located.nodes[i], key, kPatternKeys);
    others.settings.push_back(located.settings[i]);
    others.nodes.push_back(located.nodes[i]);
  }
  located = std::move(others);
}

Pattern make_pattern(RecipeFile& file, const YAML::Node& node) {
  Pattern pattern(scalar(file, node));
  pattern.where = fmt::format("{}: line {}", file.path, node.Mark().line + 1);
  if (pattern.text.empty()) bad_recipe(file, node, "the pattern is empty");
  check_pattern(pattern);
  return pattern;
}

// Reads the pattern of a map that may have further keys.
Pattern read_pattern(RecipeFile& file, const YAML::Node& map) {
  const YAML::Node text = map["pattern"], optional = map["optional"];
  if (!text) bad_recipe(file, map, "a rule needs a pattern");
  Pattern pattern = make_pattern(file, text);
  if (optional && !YAML::convert<bool>::decode(optional, pattern.optional)) {
    bad_recipe(file, optional, "optional: expected true or false");
  }
  return pattern;
}

std::vector<Pattern> read_patterns(RecipeFile& file, const YAML::Node& node) {
  if (!node.IsSequence()) bad_recipe(file, node, "expected a list of patterns");
  std::vector<Pattern> patterns;
  for (const auto& item : node) {
    if (!item.IsMap()) {
      patterns.push_back(make_pattern(file, item));
      continue;
    }
    Located located;
    collect(file, item, "", located);
    take_pattern_keys(file, located);
    if (!located.nodes.empty()) {
      unknown_key(file, located.nodes.front(), located.settings.front().first, kPatternKeys);
    }
    patterns.push_back(read_pattern(file, item));
  }
  return patterns;
}

std::vector<Rule> read_rules(RecipeFile& file, const YAML::Node& node, const Settings& defaults) {
  if (!node.IsSequence()) bad_recipe(file, node, "expected a list of rules");
  std::vector<Rule> rules;
  for (const auto& item : node) {
    Located located;
    collect(file, item, "", located);
    take_pattern_keys(file, located);
    rules.push_back({read_pattern(file, item), located.settings});
    check(file, located, defaults);
    refuse_unused(file, located, unused_settings(layered(defaults, located.settings)));
  }
  return rules;
}

Recipe read_root(RecipeFile& file, const YAML::Node& root) {
  if (!root.IsMap()) {
    bad_recipe(file, root, "expected the keys defaults, include, exclude and tensors");
  }
  Recipe recipe;
  Located defaults;
  std::set<std::string> keys;
  for (const auto& item : root) {  // defaults first, as the rules come on top of them
    if (next_key(file, item.first, keys) != "defaults") continue;
    defaults = read_defaults(file, item.second);
    recipe.defaults = defaults.settings;
  }
  for (const auto& item : root) {
    const std::string key = scalar(file, item.first);
    if (key == "defaults") {
      continue;
    } else if (key == "include") {
      recipe.include = read_patterns(file, item.second);
    } else if (key == "exclude") {
      recipe.exclude = read_patterns(file, item.second);
    } else if (key == "tensors") {
      recipe.rules = read_rules(file, item.second, recipe.defaults);
    } else {
      unknown_key(file, item.first, key, {"defaults", "include", "exclude", "tensors"});
    }
  }
  refuse_unused(file, defaults, unused_defaults(recipe));
  return recipe;
}

}  // namespace

Rule parse_rule(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    throw Subject{}.error(ErrorCode::kInvalidArgument, "'{}': expected PATTERN:key=value,key=value",
                          shown(text));
  }
  return {text.substr(0, colon), parse_settings(text.substr(colon + 1))};
}

Recipe parse_recipe(const std::string& text, const std::string& name) {
  try {
    RecipeFile recipe{name};
    return read_root(recipe, YAML::Load(text));
  } catch (const YAML::Exception& error) {
    throw Subject{name}.error(ErrorCode::kInvalidArgument, "{}{}", line_of(error.mark),
                              shown(error.msg));
  }
}

Recipe read_recipe(const std::string& path) {
  const InputFile file(path);
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 20;
  if (file.size() > kMaxBytes) {
    throw Subject{path}.error(ErrorCode::kInvalidArgument, "{} bytes, a recipe has {} at most",
                              file.size(), kMaxBytes);
  }
  const std::vector<std::byte> bytes = file.read_start(kMaxBytes);
  Recipe recipe = parse_recipe({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  recipe.file = path;
  return recipe;
}

}  // namespace pqw
