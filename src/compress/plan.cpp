// What a recipe means for the tensors of a file.
#include "pqw/compress/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "compress/joint_layers.h"
#include "compress/tensor_settings.h"
#include "pipeline/name_pattern.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

// Runs `action`; its errors get the place of the pattern in front.
template <class Action>
auto located(const Pattern& pattern, const Action& action) try {
  return action();
} catch (const Error& error) {
  if (pattern.where.empty()) throw;
  throw Error(error.code(), pattern.where + ": " + error.what());
}

NamePattern compile(const Pattern& pattern) {
  return located(pattern, [&] { return NamePattern(pattern.text); });
}

std::vector<NamePattern> compile(const std::vector<Pattern>& patterns) {
  std::vector<NamePattern> compiled;
  for (const Pattern& pattern : patterns) compiled.push_back(compile(pattern));
  return compiled;
}

bool matches_any(const std::vector<NamePattern>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const NamePattern& pattern) { return pattern.matches(name); });
}

void require_match(const Pattern& pattern, const NamePattern& compiled,
                   std::span<const TensorInfo> tensors) {
  if (pattern.optional) return;
  const bool found = std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& info) {
    return compiled.matches(info.name);
  });
  if (found) return;
  located(pattern, [&] {
    throw Error(ErrorCode::kInvalidArgument,
                quoted("pattern", pattern.text) + " matches no tensor");
  });
}

void require_matches(const std::vector<Pattern>& patterns, const std::vector<NamePattern>& compiled,
                     std::span<const TensorInfo> tensors) {
  for (std::size_t i = 0; i < patterns.size(); ++i)
    require_match(patterns[i], compiled[i], tensors);
}

bool is_plain(const CodecOptions& options) { return std::holds_alternative<PlainOptions>(options); }

// Why a tensor cannot be compressed whatever the recipe says; empty when it can.
std::string obstacle(const TensorInfo& info) {
  if (info.unknown) return fmt::format("type {} is unknown: kept as it is", info.unknown->name);
  if (!is_compressible(info.dtype)) return "not a float tensor";
  if (info.shape.size() < 2) return "rank below 2";
  if (element_count(info.shape) == 0) return "no elements";
  return "";
}

// Every output of a depthwise convolution has only a few weights, so their errors do not average
// out. The same is true for many small tensors. With 8 bits per weight both are a small part of a
// file.
bool is_thin(const TensorInfo& info) {
  constexpr std::size_t kThinWeights = 8192;
  const bool depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  return depthwise || element_count(info.shape) < kThinWeights;
}

// A thin tensor gets int8 or stays plain. If its codec is int8 already, its options stay.
void protect(PlanEntry& entry) {
  if (!is_thin(entry.info) || std::holds_alternative<Int8Options>(entry.options)) return;
  entry.options = Int8Options();
  entry.fallback.reset();
  entry.note = "thin: int8";
}

// Where the codec has nothing to gain, its fallback takes its place, or none.
void settle(PlanEntry& entry) {
  entry.reason = obstacle_to(entry.options, entry.info.shape);
  if (!entry.reason.empty() && entry.fallback) {
    entry.options = *std::exchange(entry.fallback, std::nullopt);
    entry.reason = obstacle_to(entry.options, entry.info.shape);
  }
  entry.compress = entry.reason.empty();
}

// Resolves options for the shape of the tensor. Errors name the tensor.
CodecOptions resolved_for(const TensorInfo& info, CodecOptions options) try {
  return resolved(std::move(options), info.shape);
} catch (const Error& error) {
  throw Error(error.code(), quoted("tensor", info.name) + ": " + error.what());
}

std::vector<Pattern> patterns_of(const std::vector<Rule>& rules) {
  std::vector<Pattern> patterns;
  for (const Rule& rule : rules) patterns.push_back(rule.pattern);
  return patterns;
}

// Settings without effect that only some rules use, or that a rule inherits, are left out.
TensorSettings choice_of_defaults(const Recipe& recipe) {
  Settings own;
  for (const UnusedSetting& unused : unused_defaults(recipe)) own.emplace_back(unused.key, "");
  return tensor_settings_from(used_settings(recipe.defaults, own));
}

// A rule that sets an option of the codec means that codec, as one that names it does.
bool sets_options(const Settings& rule) {
  return std::ranges::any_of(rule, [](const auto& setting) { return !is_policy(setting.first); });
}

// The settings of a rule, on top of the defaults.
TensorSettings choice_of_rule(const Recipe& recipe, const Rule& rule) {
  return located(rule.pattern, [&] {
    const Settings settings = used_settings(layered(recipe.defaults, rule.settings), rule.settings);
    TensorSettings choice = tensor_settings_from(settings);
    if (sets_options(rule.settings) && !has_key(settings, "thin")) choice.thin_is_int8 = false;
    return choice;
  });
}

}  // namespace

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
  (void)choice_of_defaults(recipe);
  for (const Rule& rule : recipe.rules) (void)choice_of_rule(recipe, rule);
}

std::vector<PlanEntry> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe) {
  const auto include = compile(recipe.include);
  const auto exclude = compile(recipe.exclude);
  const std::vector<Pattern> rule_patterns = patterns_of(recipe.rules);
  const auto rules = compile(rule_patterns);
  require_matches(recipe.include, include, tensors);
  require_matches(recipe.exclude, exclude, tensors);
  require_matches(rule_patterns, rules, tensors);
  const TensorSettings defaults = choice_of_defaults(recipe);
  std::vector<TensorSettings> choices;  // one per rule, so that every rule is checked
  for (const Rule& rule : recipe.rules) choices.push_back(choice_of_rule(recipe, rule));

  std::map<std::size_t, Int8Reference> references;
  for (const Int8Reference& reference : find_int8_references(tensors)) {
    references.emplace(reference.values, reference);
  }

  std::vector<PlanEntry> plan;
  for (const TensorInfo& info : tensors) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const NamePattern& pattern) {
      return pattern.matches(info.name);
    });
    const TensorSettings& choice =
        rule == rules.end() ? defaults : choices[static_cast<std::size_t>(rule - rules.begin())];
    PlanEntry entry{info,
                    false,
                    obstacle(info),
                    choice.options,
                    choice.fallback,
                    choice.text,
                    choice.plain_if_not_finite,
                    std::nullopt};
    const auto reference = references.find(plan.size());
    const bool adoptable =
        reference != references.end() && std::holds_alternative<Int8Options>(choice.options);
    if (adoptable) entry.reason.clear();
    if (entry.reason.empty()) {
      if (is_plain(choice.options)) {
        entry.reason = "codec plain";
      } else if (!include.empty() && !matches_any(include, info.name)) {
        entry.reason = "not included";
      } else if (matches_any(exclude, info.name)) {
        entry.reason = "excluded";
      } else if (adoptable) {
        entry.reference = reference->second;
      }
    }
    entry.compress = entry.reason.empty() && !entry.reference;
    if (entry.compress) {
      if (choice.thin_is_int8) protect(entry);
      entry.options = resolved_for(info, std::move(entry.options));
      if (entry.fallback && is_plain(*entry.fallback)) entry.fallback.reset();
      if (entry.fallback) entry.fallback = resolved_for(info, std::move(*entry.fallback));
      settle(entry);
    }
    plan.push_back(std::move(entry));
  }
  join_layers(plan);
  return plan;
}

}  // namespace pqw
