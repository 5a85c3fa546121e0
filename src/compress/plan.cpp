// Makes the plan of a run from a recipe and the tensors of a file.
#include "compress/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compress/points.h"
#include "compress/recipe_checks.h"
#include "compress/tensor_pattern.h"
#include "compress/tensor_settings.h"
#include "core/subject.h"
#include "pipeline/int8_reference.h"

namespace pqw {
namespace {

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

}  // namespace

bool is_decided_by_rules(const TensorInfo& info) { return obstacle(info).empty(); }

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
  require_fitting_parts(recipe);
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
