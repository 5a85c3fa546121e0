// What a recipe means for the tensors of a file.
#include "pqw/pipeline/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "pipeline/joint_layers.h"
#include "pipeline/name_pattern.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

std::vector<NamePattern> compile(const std::vector<std::string>& patterns) {
  std::vector<NamePattern> compiled;
  for (const std::string& pattern : patterns) compiled.emplace_back(pattern);
  return compiled;
}

// The settings that no codec has: what to do with a tensor that holds NaN or infinity, and with a
// thin one.
constexpr char kNonFinite[] = "non_finite";
constexpr char kThin[] = "thin";

bool matches_any(const std::vector<NamePattern>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const NamePattern& pattern) { return pattern.matches(name); });
}

void require_matches(const std::vector<NamePattern>& patterns,
                     std::span<const TensorInfo> tensors) {
  for (const NamePattern& pattern : patterns) {
    const bool found = std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& info) {
      return pattern.matches(info.name);
    });
    if (found) continue;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("pattern '{}' matches no tensor", pattern.text()));
  }
}

// What settings mean.
struct Choice {
  CodecOptions options;
  std::optional<CodecOptions> fallback;
  std::string settings;
  bool plain_if_not_finite = false;
  bool thin_is_int8 = false;
};

// Takes the settings of that key off the others and returns the last value; empty without any.
std::string take(Settings& settings, std::string_view key) {
  std::string found;
  for (const auto& [other, value] : settings) {
    if (other == key) found = value;
  }
  std::erase_if(settings, [&](const auto& setting) { return setting.first == key; });
  return found;
}

bool plain_if_not_finite(const std::string& policy) {
  if (policy.empty() || policy == "error") return false;
  if (policy == "plain") return true;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("non_finite={}: expected error or plain", policy));
}

// `others` are the settings without that one.
bool thin_is_int8(const std::string& policy, const Settings& others) {
  if (policy == "int8") return true;
  if (policy == "same") return false;
  if (!policy.empty()) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("thin={}: expected int8 or same", policy));
  }
  return std::ranges::find(others, "codec", &Settings::value_type::first) == others.end();
}

CodecOptions fallback_from(const Settings& settings) {
  CodecOptions options = options_from(settings);
  if (joint_label(options).empty()) return options;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("fallback.joint={}: a fallback is for each tensor by itself",
                          joint_label(options)));
}

Choice choice_from(const Settings& settings) {
  auto [fallback, others] = split(settings, "fallback");
  Choice choice;
  choice.plain_if_not_finite = plain_if_not_finite(take(others, kNonFinite));
  const std::string thin = take(others, kThin);
  choice.thin_is_int8 = thin_is_int8(thin, others);
  choice.options = options_from(others);
  if (!fallback.empty()) choice.fallback = fallback_from(fallback);
  for (const auto& [key, value] : settings) choice.settings += fmt::format("{}={},", key, value);
  return choice;
}

bool is_plain(const CodecOptions& options) { return std::holds_alternative<PlainOptions>(options); }

// Why a tensor cannot be compressed whatever the recipe says; empty when it can.
std::string obstacle(const TensorInfo& info) {
  if (!is_compressible(info.dtype)) return "not a float tensor";
  if (info.shape.size() < 2) return "rank below 2";
  if (element_count(info.shape) == 0) return "no elements";
  return "";
}

// Every output of a depthwise convolution has a few weights of its own, and nothing averages their
// errors out. So it is with many small tensors, and 8 bits of them make little of a file.
bool is_thin(const TensorInfo& info) {
  constexpr std::size_t kThinWeights = 8192;
  const bool depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  return depthwise || element_count(info.shape) < kThinWeights;
}

// A thin tensor gets int8 or stays plain; a codec that is int8 already keeps its options.
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

std::vector<NamePattern> compile(const std::vector<Rule>& rules) {
  std::vector<NamePattern> compiled;
  for (const Rule& rule : rules) compiled.emplace_back(rule.pattern);
  return compiled;
}

}  // namespace

void check_settings(const Settings& settings) { (void)choice_from(settings); }

void check_recipe(const Recipe& recipe) {
  compile(recipe.include);
  compile(recipe.exclude);
  compile(recipe.rules);
  check_settings(recipe.defaults);
  for (const Rule& rule : recipe.rules) check_settings(layered(recipe.defaults, rule.settings));
}

std::vector<PlanEntry> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe) {
  const auto include = compile(recipe.include);
  const auto exclude = compile(recipe.exclude);
  const auto rules = compile(recipe.rules);
  require_matches(include, tensors);
  require_matches(exclude, tensors);
  require_matches(rules, tensors);
  const Choice defaults = choice_from(recipe.defaults);
  std::vector<Choice> choices;  // one per rule, so that every rule is checked
  for (const Rule& rule : recipe.rules) {
    choices.push_back(choice_from(layered(recipe.defaults, rule.settings)));
  }

  std::map<std::size_t, Int8Reference> references;
  for (const Int8Reference& reference : find_int8_references(tensors)) {
    references.emplace(reference.values, reference);
  }

  std::vector<PlanEntry> plan;
  for (const TensorInfo& info : tensors) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const NamePattern& pattern) {
      return pattern.matches(info.name);
    });
    const Choice& choice =
        rule == rules.end() ? defaults : choices[static_cast<std::size_t>(rule - rules.begin())];
    PlanEntry entry{info,
                    false,
                    obstacle(info),
                    choice.options,
                    choice.fallback,
                    choice.settings,
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
      entry.options = resolved(std::move(entry.options), info.shape);
      if (entry.fallback && is_plain(*entry.fallback)) entry.fallback.reset();
      if (entry.fallback) entry.fallback = resolved(std::move(*entry.fallback), info.shape);
      settle(entry);
    }
    plan.push_back(std::move(entry));
  }
  join_layers(plan);
  return plan;
}

}  // namespace pqw
