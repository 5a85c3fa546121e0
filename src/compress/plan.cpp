// Makes the plan of a run from a recipe and the tensors of a file.
#include "compress/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compress/points.h"
#include "compress/quality.h"
#include "compress/tensor_pattern.h"
#include "compress/tensor_settings.h"
#include "core/subject.h"
#include "pipeline/int8_reference.h"

namespace pqw {
namespace {

// Runs `action`; its errors get the place of the pattern in front.
template <class Action>
auto located(const Pattern& pattern, const Action& action) try {
  return action();
} catch (const Error& error) {
  if (pattern.where.empty()) throw;
  throw Subject{pattern.where}.error(error.code(), "{}", error.what());
}

TensorPattern compile(const Pattern& pattern) {
  return located(pattern, [&] { return TensorPattern(pattern.text); });
}

std::vector<TensorPattern> compile(const std::vector<Pattern>& patterns) {
  std::vector<TensorPattern> compiled;
  for (const Pattern& pattern : patterns) compiled.push_back(compile(pattern));
  return compiled;
}

bool matches_any(const std::vector<TensorPattern>& patterns, const TensorInfo& info) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const TensorPattern& pattern) { return pattern.matches(info); });
}

void require_match(const Pattern& pattern, const TensorPattern& compiled,
                   std::span<const TensorInfo> tensors) {
  if (pattern.optional) return;
  const bool found = std::any_of(tensors.begin(), tensors.end(),
                                 [&](const TensorInfo& info) { return compiled.matches(info); });
  if (found) return;
  located(pattern, [&] {
    throw Subject{}.error(ErrorCode::kInvalidArgument, "pattern '{}' matches no tensor",
                          shown(pattern.text));
  });
}

void require_matches(const std::vector<Pattern>& patterns,
                     const std::vector<TensorPattern>& compiled,
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
  if (info.layout.kind == Kind::kOther) {
    return info.name.starts_with("optimizer") ? "optimizer state" : "not the weight of a layer";
  }
  return "";
}

// Resolves options for the shape of the tensor. Errors name the tensor.
CodecOptions resolved_for(const TensorInfo& info, CodecOptions options) try {
  return resolved(std::move(options), info.shape);
} catch (const Error& error) {
  throw Subject{}.in("tensor", info.name).error(error.code(), "{}", error.what());
}

std::vector<Pattern> patterns_of(const std::vector<Rule>& rules) {
  std::vector<Pattern> patterns;
  for (const Rule& rule : rules) patterns.push_back(rule.pattern);
  return patterns;
}

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

// Settings without effect that only some rules use, or that a rule inherits, are left out.
TensorSettings choice_of_defaults(const Recipe& recipe) {
  Settings own;
  require_choice_left(recipe);
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
    return tensor_settings_from(
        used_settings(layered(recipe.defaults, rule.settings), rule.settings),
        !sets_options(rule.settings));
  });
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

}  // namespace

bool is_decided_by_rules(const TensorInfo& info) { return obstacle(info).empty(); }

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
  require_target_for_importance(recipe);
  require_size_beside_calibration(recipe);
  require_calibration_for_bias(recipe);
  (void)choice_of_defaults(recipe);
  for (const Rule& rule : recipe.rules) (void)choice_of_rule(recipe, rule);
}

namespace {

// By what the recipe selects tensors, and what it says of them.
class Selection {
 public:
  Selection(std::span<const TensorInfo> tensors, const Recipe& recipe)
      : include_(compile(recipe.include)), exclude_(compile(recipe.exclude)) {
    const std::vector<Pattern> rule_patterns = patterns_of(recipe.rules);
    rules_ = compile(rule_patterns);
    require_matches(recipe.include, include_, tensors);
    require_matches(recipe.exclude, exclude_, tensors);
    require_matches(rule_patterns, rules_, tensors);
    defaults_ = choice_of_defaults(recipe);
    for (const Rule& rule : recipe.rules) choices_.push_back(choice_of_rule(recipe, rule));
  }

  // The choice of the first rule that matches.
  const TensorSettings& choice(const TensorInfo& info) const {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (rules_[i].matches(info)) return choices_[i];
    }
    return defaults_;
  }

  // Why the recipe leaves the tensor as it is; empty if it does not.
  std::string reason_to_keep(const TensorInfo& info) const {
    if (is_plain(choice(info).options)) return "codec plain";
    if (!include_.empty() && !matches_any(include_, info)) return "not included";
    return matches_any(exclude_, info) ? "excluded" : "";
  }

 private:
  std::vector<TensorPattern> include_, exclude_, rules_;
  TensorSettings defaults_;
  std::vector<TensorSettings> choices_;  // one per rule, so that every rule is checked
};

// Whether a tensor of that rank can be of the kind. REQUIRES: rank >= 2.
bool fits(Kind kind, std::size_t rank) {
  switch (kind) {
    case Kind::kConv:
    case Kind::kDepthwise:
    case Kind::kTransposedConv:
      return rank > 2;
    case Kind::kEmbedding:
    case Kind::kRecurrent:
      return rank == 2;
    default:
      return true;
  }
}

void require_fitting_kind(const TensorInfo& info, Kind kind) {
  const std::size_t rank = info.shape.size();
  if (fits(kind, rank)) return;
  Words fitting;
  for (const Kind other : {Kind::kLinear, Kind::kConv, Kind::kDepthwise, Kind::kTransposedConv,
                           Kind::kEmbedding, Kind::kRecurrent, Kind::kOther}) {
    if (fits(other, rank)) fitting.emplace_back(to_string(other));
  }
  throw tensor_subject(info.name).error("kind={} does not fit shape {} of rank {}; expected {}",
                                        to_string(kind), to_string(info.shape), rank,
                                        listed(fitting));
}

// The layout of a tensor of rank 2 or more, with that choice in place of what the file says.
Layout layout_by(const TensorInfo& info, const TensorSettings& choice) {
  Layout layout = info.layout;
  const std::size_t rank = info.shape.size();
  if (rank < 2) return layout;
  if (choice.kind != Kind::kUnknown) {
    require_fitting_kind(info, choice.kind);
    layout.kind = choice.kind;
  }
  if (!choice.layout.empty()) {
    layout.axes = *axes_from_letters(choice.layout);
    if (layout.axes.size() != rank) {
      throw tensor_subject(info.name).error(
          "layout={} has {} dimensions, shape {} has {}; name the tensors that have it in a rule "
          "(rank={})",
          choice.layout, layout.axes.size(), to_string(info.shape), rank, layout.axes.size());
    }
    if (std::ranges::is_sorted(layout.axes)) layout.axes.clear();
  }
  if (choice.kind != Kind::kUnknown || !choice.layout.empty()) layout.ambiguous.clear();
  return layout;
}

// The settings of layout_by.
Settings layout_settings(const TensorSettings& choice) {
  Settings settings;
  if (choice.kind != Kind::kUnknown) settings.emplace_back("kind", to_string(choice.kind));
  if (!choice.layout.empty()) settings.emplace_back("layout", choice.layout);
  return settings;
}

// int8 has the smaller error at the same size, and serves faster. pq may turn out smaller than it
// seems, with fewer distinct blocks than centroids.
void prefer_int8(const TensorInfo& info, Encode& encode) {
  const auto* pq = std::get_if<PqOptions>(&encode.candidates.front());
  const CodecOptions int8 = Int8Options();
  const std::uint64_t bytes = data_bytes(size_by_shape(info, int8)->record);
  if (pq == nullptr || pq_bytes(info, *pq) < bytes) return;
  encode.first_below = bytes;
  encode.candidates.insert(encode.candidates.begin() + 1, int8);
}

// The candidates for a tensor, without those that cannot make a tensor of its shape smaller. The
// fallback is for the codec that the settings name.
Action encode_or_keep(const TensorInfo& info, const TensorSettings& choice, const RoleSettings& own,
                      bool has_target) {
  Encode encode{{own.options}, own.note, choice.plain_if_not_finite};
  if (has_target && choice.is_searched) {
    encode = {{choice.options}, {}, choice.plain_if_not_finite};
    encode.is_free = true;
  } else if (own.note.empty() && choice.fallback && !is_plain(*choice.fallback)) {
    encode.candidates.push_back(*choice.fallback);
  }
  std::string reason;
  for (CodecOptions& options : encode.candidates) options = resolved_for(info, std::move(options));
  if (choice.is_free && !has_target) prefer_int8(info, encode);
  std::erase_if(encode.candidates, [&](const CodecOptions& options) {
    const std::string obstacle = obstacle_to(options, info.shape);
    if (!obstacle.empty()) reason = obstacle;
    return !obstacle.empty();
  });
  if (encode.candidates.empty()) return Keep{reason};
  return encode;
}

// Gives adopted values the tensors that belong to them, which are no items of their own then.
void take_parts(std::span<const Int8Reference> references, std::vector<WorkItem>& plan) {
  std::vector<bool> is_part(plan.size());
  for (const Int8Reference& reference : references) {
    WorkItem& item = plan[reference.values];
    if (!std::holds_alternative<AdoptInt8>(item.action)) continue;
    item.tensors.push_back(reference.scale);
    if (reference.zero_point) item.tensors.push_back(*reference.zero_point);
    for (std::size_t i = 1; i < item.tensors.size(); ++i) is_part[item.tensors[i]] = true;
  }
  std::erase_if(plan, [&](const WorkItem& item) { return is_part[item.tensors.front()]; });
}

}  // namespace

std::vector<Layout> layouts_of(std::span<const TensorInfo> tensors, const Recipe& recipe) {
  const Selection selection(tensors, recipe);
  std::vector<Layout> layouts;
  for (const TensorInfo& info : tensors) layouts.push_back(layout_by(info, selection.choice(info)));
  return layouts;
}

std::vector<WorkItem> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe) {
  require_target_for_importance(recipe);
  require_size_beside_calibration(recipe);
  require_calibration_for_bias(recipe);
  const Selection selection(tensors, recipe);
  std::vector<TensorInfo> in_order;  // canonical
  for (const TensorInfo& info : tensors) {
    TensorInfo with_layout = info;
    with_layout.layout = layout_by(info, selection.choice(info));
    in_order.push_back(canonical(std::move(with_layout)));
  }
  const std::vector<Int8Reference> references = find_int8_references(in_order);
  const std::size_t n_weights = weights_of(tensors);
  std::vector<WorkItem> plan;
  for (const TensorInfo& in_file : tensors) {
    const TensorInfo& info = in_order[plan.size()];
    const TensorSettings& choice = selection.choice(in_file);
    const auto* int8 = std::get_if<Int8Options>(&choice.options);
    const bool adopted =
        int8 != nullptr &&
        std::ranges::find(references, plan.size(), &Int8Reference::values) != references.end();
    WorkItem item{{plan.size()},
                  Keep{adopted ? "" : obstacle(info)},
                  choice.text,
                  choice.importance,
                  choice.plain_dtype,
                  choice.use,
                  layout_settings(choice),
                  {},
                  choice.correct_bias,
                  choice.bias};
    std::string& reason = std::get<Keep>(item.action).reason;
    if (reason.empty()) reason = selection.reason_to_keep(in_file);
    if (reason.empty()) {
      if (adopted) {
        item.action = AdoptInt8{*int8};
      } else {
        const RoleSettings& own = choice.of(role_of(info, n_weights));
        item.action = encode_or_keep(info, choice, own, recipe.target.has_value());
        item.preset = own.preset;
      }
    }
    plan.push_back(std::move(item));
  }
  take_parts(references, plan);
  return join_layers(in_order, std::move(plan));
}

}  // namespace pqw
