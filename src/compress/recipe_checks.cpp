// Checks what can be checked of a recipe without tensors.
#include "compress/recipe_checks.h"

#include <algorithm>
#include <utility>

#include "compress/quality.h"

namespace pqw {
namespace {

// A target chooses some options of its own accord.
void require_choice_left(const Recipe& recipe) {
  if (!recipe.target) return;
  for (const auto& [key, value] : recipe.defaults) {
    if (!target_chooses(key)) continue;
    throw invalid_argument(
        "{}={} for all tensors: a target chooses it; name it for some, in a rule", key,
        shown(value));
  }
}

// Without a target, importances have no effect.
void require_target_for_importance(const Recipe& recipe) {
  constexpr const char* kKey = "importance";
  if (recipe.target) return;
  const auto check = [&](const Settings& settings) {
    if (!has_key(settings, kKey)) return;
    throw invalid_argument(
        "importance: it counts only in the search for a target; add --target-size, --target-bpw, "
        "--target-ratio or --target-error, or leave it out");
  };
  check(recipe.defaults);
  for (const Rule& rule : recipe.rules) located(rule.pattern, [&] { check(rule.settings); });
}

// The error of weights says nothing of those that keep outputs.
void require_size_beside_calibration(const Recipe& recipe) {
  const bool is_error = recipe.target && recipe.target->kind == TargetKind::kError;
  if (recipe.calibration.empty() || !is_error) return;
  throw invalid_argument(
      "--target-error is an error of weights, which calibration raises to keep outputs; use "
      "--target-size, --target-bpw or --target-ratio");
}

// Without statistics of inputs, no bias is corrected.
void require_calibration_for_bias(const Recipe& recipe) {
  if (!recipe.calibration.empty()) return;
  const auto check = [](const TensorSettings& choice) {
    if (choice.correct_bias == BiasCorrection::kOff) return;
    throw invalid_argument(
        "correct_bias needs statistics of inputs; add --calibration FILE (pqw calibrate writes "
        "it)");
  };
  check(choice_of_defaults(recipe));
  for (const Rule& rule : recipe.rules) {
    const TensorSettings choice = choice_of_rule(recipe, rule);
    located(rule.pattern, [&] { check(choice); });
  }
}

// A rule that sets an option of the codec means that codec, as one that names it does.
bool sets_options(const Settings& rule) {
  return std::ranges::any_of(rule, [](const auto& setting) { return !is_policy(setting.first); });
}

}  // namespace

TensorPattern compile(const Pattern& pattern) {
  return located(pattern, [&] { return TensorPattern(pattern.text); });
}

std::vector<TensorPattern> compile(const std::vector<Pattern>& patterns) {
  std::vector<TensorPattern> compiled;
  for (const Pattern& pattern : patterns) compiled.push_back(compile(pattern));
  return compiled;
}

std::vector<Pattern> patterns_of(const std::vector<Rule>& rules) {
  std::vector<Pattern> patterns;
  for (const Rule& rule : rules) patterns.push_back(rule.pattern);
  return patterns;
}

void require_fitting_parts(const Recipe& recipe) {
  require_target_for_importance(recipe);
  require_size_beside_calibration(recipe);
  require_calibration_for_bias(recipe);
}

TensorSettings choice_of_defaults(const Recipe& recipe) {
  Settings own;
  require_choice_left(recipe);
  for (const UnusedSetting& unused : unused_defaults(recipe)) own.emplace_back(unused.key, "");
  return tensor_settings_from(used_settings(recipe.defaults, own));
}

TensorSettings choice_of_rule(const Recipe& recipe, const Rule& rule) {
  return located(rule.pattern, [&] {
    return tensor_settings_from(
        used_settings(layered(recipe.defaults, rule.settings), rule.settings),
        !sets_options(rule.settings));
  });
}

bool target_chooses(const std::string& key) {
  static const Words kKeys = {"codec",      "block_size", "centroids", "groups",  "lambda",
                              "row_scales", "gain_per",   "engine",    "quality", "thin",
                              "bits",       "step",       "step_unit", "scales",  "means"};
  return std::ranges::find(kKeys, key) != kKeys.end();
}

std::optional<Preset> preset_of(const Recipe& recipe) {
  if (recipe.target || sets_size(recipe.defaults)) return std::nullopt;
  const auto named = std::ranges::find(recipe.defaults, "quality", &Settings::value_type::first);
  return Preset{named == recipe.defaults.end() ? "balanced" : named->second,
                codec_name(choice_of_defaults(recipe).of(Role::kLarge).options)};
}

void check_settings(const Settings& settings) { (void)tensor_settings_from(settings); }

void check_pattern(const Pattern& pattern) { (void)compile(pattern); }

std::vector<UnusedSetting> unused_defaults(const Recipe& recipe) {
  std::vector<UnusedSetting> unused = unused_settings(recipe.defaults);
  for (const Rule& rule : recipe.rules) {
    const Settings used = used_settings(layered(recipe.defaults, rule.settings), {});
    std::erase_if(unused, [&](const UnusedSetting& setting) { return has_key(used, setting.key); });
  }
  return unused;
}

Recipe with_settings(Recipe recipe, const Settings& settings) {
  recipe.defaults = layered(std::move(recipe.defaults), settings);
  recipe.defaults = without(recipe.defaults, unused_defaults(recipe), settings);
  return recipe;
}

void check_recipe(const Recipe& recipe) {
  compile(recipe.include);
  compile(recipe.exclude);
  compile(patterns_of(recipe.rules));
  require_fitting_parts(recipe);
  (void)choice_of_defaults(recipe);
  for (const Rule& rule : recipe.rules) (void)choice_of_rule(recipe, rule);
}

}  // namespace pqw
