// Recipes as text: --set rules and YAML files.
#include "pqw/pipeline/recipe.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "pqw/core/error.h"
#include "pqw/io/mapped_file.h"
#include "pqw/pipeline/plan.h"

namespace pqw {
namespace {

[[noreturn]] void bad_recipe(const std::string& path, const YAML::Node& node,
                             const std::string& what) {
  const YAML::Mark mark = node.Mark();
  const std::string line = mark.is_null() ? "" : fmt::format("line {}: ", mark.line + 1);
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}{}", path, line, what));
}

std::string scalar(const std::string& path, const YAML::Node& node) {
  if (!node.IsScalar()) bad_recipe(path, node, "expected a single value");
  return node.Scalar();
}

Settings read_settings(const std::string& path, const YAML::Node& node, Rule* rule) {
  if (!node.IsMap()) bad_recipe(path, node, "expected option: value pairs");
  Settings settings;
  for (const auto& item : node) {
    const std::string key = scalar(path, item.first);
    const std::string value = scalar(path, item.second);
    if (rule != nullptr && key == "pattern") {
      rule->pattern = value;
      continue;
    }
    settings.emplace_back(key, value);
    try {
      check_settings({settings.back()});
    } catch (const Error& error) {
      bad_recipe(path, item.first, error.what());
    }
  }
  return settings;
}

std::vector<std::string> read_patterns(const std::string& path, const YAML::Node& node) {
  if (!node.IsSequence()) bad_recipe(path, node, "expected a list of patterns");
  std::vector<std::string> patterns;
  for (const auto& item : node) patterns.push_back(scalar(path, item));
  return patterns;
}

std::vector<Rule> read_rules(const std::string& path, const YAML::Node& node) {
  if (!node.IsSequence()) bad_recipe(path, node, "expected a list of rules");
  std::vector<Rule> rules;
  for (const auto& item : node) {
    Rule rule;
    rule.settings = read_settings(path, item, &rule);
    if (rule.pattern.empty()) bad_recipe(path, item, "a rule needs a pattern");
    rules.push_back(std::move(rule));
  }
  return rules;
}

Recipe read_root(const std::string& path, const YAML::Node& root) {
  if (!root.IsMap()) {
    bad_recipe(path, root, "expected the keys defaults, include, exclude and tensors");
  }
  Recipe recipe;
  for (const auto& item : root) {
    const std::string key = scalar(path, item.first);
    if (key == "defaults") {
      recipe.defaults = read_settings(path, item.second, nullptr);
    } else if (key == "include") {
      recipe.include = read_patterns(path, item.second);
    } else if (key == "exclude") {
      recipe.exclude = read_patterns(path, item.second);
    } else if (key == "tensors") {
      recipe.rules = read_rules(path, item.second);
    } else {
      bad_recipe(
          path, item.first,
          fmt::format("unknown key '{}': expected defaults, include, exclude or tensors", key));
    }
  }
  return recipe;
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

Rule parse_rule(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("'{}': expected PATTERN:key=value,key=value", text));
  }
  return {text.substr(0, colon), parse_settings(text.substr(colon + 1))};
}

Recipe read_recipe(const std::string& path) {
  const MappedFile file(path);
  const auto* text = reinterpret_cast<const char*>(file.bytes().data());
  try {
    return read_root(path, YAML::Load(std::string(text, file.bytes().size())));
  } catch (const YAML::Exception& error) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace pqw
