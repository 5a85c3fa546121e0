// Writes the recipe that makes an archive again.
#include "compress/recipe_output.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <string_view>

#include "compress/plan.h"
#include "io/different_files.h"
#include "pipeline/name_pattern.h"

namespace pqw {
namespace {

Settings texts(const std::string& settings) {
  return settings.empty() ? Settings() : parse_settings(settings);
}

// The options that differ from the defaults of their codec.
Settings settings_of(const CodecOptions& options) {
  const std::string codec = codec_name(options);
  const Settings defaults = texts(to_string(options_from({{"codec", codec}})));
  Settings settings = {{"codec", codec}};
  for (const auto& setting : texts(to_string(options))) {
    if (std::ranges::find(defaults, setting) == defaults.end()) settings.push_back(setting);
  }
  std::visit(
      [&](const auto& o) {
        if constexpr (requires { o.factors; }) {
          const Settings factors = under("factors", settings_of(*o.factors));
          settings.insert(settings.end(), factors.begin(), factors.end());
        }
      },
      options);
  return settings;
}

// The settings of an item and its preset, each key once, with the codec. With a codec, `quality`, `for`
// and `importance` have no effect, so it leaves them out.
Settings as_given(const WorkItem& item, const std::string& codec) {
  constexpr std::string_view kWithoutEffect[] = {"quality", "for", "importance"};
  Settings settings = {{"codec", codec}};
  for (const auto& given : {texts(item.settings), texts(item.preset)}) {
    for (const auto& setting : given) {
      std::erase_if(settings, [&](const auto& other) { return other.first == setting.first; });
      if (std::ranges::find(kWithoutEffect, setting.first) != std::end(kWithoutEffect)) continue;
      settings.push_back(setting);
    }
  }
  return settings;
}

Settings rule_of_action(const WorkItem& item) {
  if (const auto* int8 = std::get_if<AdoptInt8>(&item.action)) return settings_of(int8->options);
  const auto* encode = std::get_if<Encode>(&item.action);
  if (encode == nullptr) return {{"codec", "plain"}};
  const CodecOptions& first = encode->candidates.front();
  if (!encode->is_free && encode->note.empty()) return as_given(item, codec_name(first));
  Settings settings = settings_of(first);
  if (encode->keep_if_not_finite) settings.emplace_back("non_finite", "plain");
  return settings;
}

}  // namespace

Settings rule_of(const WorkItem& item) {
  constexpr char kKey[] = "plain_dtype";
  Settings settings = rule_of_action(item);
  for (const auto& setting : item.layout) {
    if (!has_key(settings, setting.first)) settings.push_back(setting);
  }
  if (std::holds_alternative<Encode>(item.action) && !has_key(settings, "correct_bias") &&
      item.correct_bias != BiasCorrection::kOff) {
    settings.emplace_back("correct_bias", to_string(item.correct_bias));
    if (!item.bias.empty()) settings.emplace_back("bias", item.bias);
  }
  if (item.plain_dtype == PlainDtype::kSame || has_key(settings, kKey)) return settings;
  const auto found = std::ranges::find(plain_dtypes(), item.plain_dtype,
                                       &std::pair<std::string, PlainDtype>::second);
  settings.emplace_back(kKey, found->first);
  return settings;
}

std::string recipe_text(const Recipe& recipe) {
  YAML::Emitter yaml;
  const auto add_patterns = [&](const char* key, const std::vector<Pattern>& patterns) {
    if (patterns.empty()) return;
    yaml << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginSeq;
    for (const Pattern& pattern : patterns) yaml << YAML::SingleQuoted << pattern.text;
    yaml << YAML::EndSeq;
  };
  yaml << YAML::BeginMap;
  add_patterns("include", recipe.include);
  add_patterns("exclude", recipe.exclude);
  yaml << YAML::Key << "tensors" << YAML::Value << YAML::BeginSeq;
  for (const Rule& rule : recipe.rules) {
    yaml << YAML::Flow << YAML::BeginMap << YAML::Key << "pattern" << YAML::Value
         << YAML::SingleQuoted << rule.pattern.text;
    for (const auto& [key, value] : rule.settings) {
      yaml << YAML::Key << key << YAML::Value << value;
    }
    yaml << YAML::EndMap;
  }
  yaml << YAML::EndSeq << YAML::EndMap;
  return std::string(yaml.c_str()) + "\n";
}

std::string recipe_text(const Report& report) {
  Recipe recipe;
  for (const TensorReport& tensor : report.tensors) {
    if (tensor.rule.empty()) continue;
    recipe.rules.push_back({fmt::format("^{}$", escaped_pattern(tensor.info.name)), tensor.rule});
  }
  return recipe_text(recipe);
}

RecipeOutput::RecipeOutput(const Recipe& recipe, std::span<const std::string> inputs,
                           const std::string& archive)
    : file_((require_different_files(inputs, recipe.output),
             require_different_outputs(archive, recipe.output), recipe.output),
            {.overwrite = recipe.overwrite_output}) {}

void RecipeOutput::commit(const std::string& text) {
  file_.write(std::as_bytes(std::span(text)));
  file_.commit();
}

}  // namespace pqw
