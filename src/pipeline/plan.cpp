// What a recipe means for the tensors of a file.
#include "pqw/pipeline/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/name_pattern.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

std::vector<NamePattern> compile(const std::vector<std::string>& patterns) {
  std::vector<NamePattern> compiled;
  for (const std::string& pattern : patterns) compiled.emplace_back(pattern);
  return compiled;
}

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

// What settings have said so far.
struct Choice {
  bool plain = false;
  bool auto_block_size = true;
  PqOptions options;

  void apply(const Settings& settings) {
    for (const auto& [key, value] : settings) {
      if (key == "codec") {
        if (value != "pq" && value != "plain") {
          throw Error(ErrorCode::kInvalidArgument,
                      fmt::format("codec={}: expected pq or plain", value));
        }
        plain = value == "plain";
      } else if (key == "block_size" && value == "auto") {
        auto_block_size = true;
      } else {
        set_option(options, key, value);
        if (key == "block_size") auto_block_size = false;
      }
    }
  }
};

// Why a tensor cannot be compressed whatever the recipe says; empty when it can.
std::string obstacle(const TensorInfo& info) {
  if (!is_compressible(info.dtype)) return "not a float tensor";
  if (info.shape.size() < 2) return "rank below 2";
  if (element_count(info.shape) == 0) return "no elements";
  return "";
}

std::vector<NamePattern> compile(const std::vector<Rule>& rules) {
  std::vector<NamePattern> compiled;
  for (const Rule& rule : rules) compiled.emplace_back(rule.pattern);
  return compiled;
}

}  // namespace

void check_settings(const Settings& settings) { Choice().apply(settings); }

void check_recipe(const Recipe& recipe) {
  compile(recipe.include);
  compile(recipe.exclude);
  compile(recipe.rules);
  check_settings(recipe.defaults);
  for (const Rule& rule : recipe.rules) check_settings(rule.settings);
}

std::size_t auto_block_size(std::span<const std::size_t> shape) {
  constexpr std::size_t kDefault = 8;
  if (shape.size() <= 2) return kDefault;
  const std::span<const std::size_t> kernel = shape.subspan(2);
  const std::size_t area = element_count(kernel);
  if (area == 1) return 4;
  if (kernel.size() == 2 && kernel[0] == 3 && kernel[1] == 3) return 9;
  const std::size_t cols = shape[1] * area;
  for (std::size_t distance = 0; distance < kDefault; ++distance) {
    if (cols % (kDefault - distance) == 0) return kDefault - distance;
    if (cols % (kDefault + distance) == 0) return kDefault + distance;
  }
  return 1;
}

std::vector<PlanEntry> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe) {
  const auto include = compile(recipe.include);
  const auto exclude = compile(recipe.exclude);
  const auto rules = compile(recipe.rules);
  require_matches(include, tensors);
  require_matches(exclude, tensors);
  require_matches(rules, tensors);
  Choice defaults;
  defaults.apply(recipe.defaults);
  std::vector<Choice> choices;  // one per rule, so that every rule is checked
  for (const Rule& rule : recipe.rules) choices.emplace_back(defaults).apply(rule.settings);

  std::vector<PlanEntry> plan;
  for (const TensorInfo& info : tensors) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const NamePattern& pattern) {
      return pattern.matches(info.name);
    });
    const Choice& choice =
        rule == rules.end() ? defaults : choices[static_cast<std::size_t>(rule - rules.begin())];
    PlanEntry entry{info, false, obstacle(info), choice.options};
    if (entry.reason.empty()) {
      if (choice.plain) {
        entry.reason = "codec plain";
      } else if (!include.empty() && !matches_any(include, info.name)) {
        entry.reason = "not included";
      } else if (matches_any(exclude, info.name)) {
        entry.reason = "excluded";
      }
    }
    entry.compress = entry.reason.empty();
    if (entry.compress) {
      std::size_t& block_size = entry.options.block_size;
      if (choice.auto_block_size) block_size = auto_block_size(info.shape);
      block_size = std::min(block_size, matrix_shape(info.shape).cols);  // more would be padding
    }
    plan.push_back(std::move(entry));
  }
  return plan;
}

}  // namespace pqw
