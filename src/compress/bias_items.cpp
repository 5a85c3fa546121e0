// Joins biases that are to be corrected to the items of their weights.
#include <algorithm>
#include <map>
#include <utility>

#include "compress/plan.h"
#include "core/subject.h"

namespace pqw {
namespace {

// The float tensors that are stored as they are, by their names: their items.
std::map<std::string, std::size_t> kept_tensors(const WeightReader& reader,
                                                std::span<const WorkItem> plan) {
  std::map<std::string, std::size_t> kept;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const TensorInfo& info = reader.tensors()[plan[i].tensors.front()];
    if (std::holds_alternative<Keep>(plan[i].action) && is_basic(info.dtype) &&
        is_compressible(info.dtype)) {
      kept.emplace(info.name, i);
    }
  }
  return kept;
}

bool wants_bias(const WorkItem& item) {
  return item.correct_bias != BiasCorrection::kOff && item.tensors.size() == 1 &&
         std::holds_alternative<Encode>(item.action);
}

}  // namespace

std::vector<WorkItem> with_biases(const WeightReader& reader, std::vector<WorkItem> plan) {
  if (std::ranges::none_of(plan, wants_bias)) return plan;
  const std::map<std::string, std::size_t> kept = kept_tensors(reader, plan);
  std::vector<bool> is_taken(plan.size());
  for (WorkItem& item : plan) {
    if (!wants_bias(item)) continue;
    const TensorInfo info = canonical(reader.tensors()[item.tensors.front()]);
    const auto found = kept.find(item.bias.empty() ? bias_name(info.name) : item.bias);
    const bool fits =
        found != kept.end() && !is_taken[found->second] &&
        element_count(reader.tensors()[plan[found->second].tensors.front()].shape) == info.shape[0];
    if (!fits && !item.bias.empty()) {
      throw tensor_subject(info.name).error(ErrorCode::kInvalidArgument,
                                            "bias={}: expected a plain float tensor of {} elements "
                                            "that is the bias of no other weight",
                                            shown(item.bias), info.shape[0]);
    }
    if (!fits) continue;
    WorkItem& bias = plan[found->second];
    if (bias.plain_dtype != PlainDtype::kSame) {
      std::get<Keep>(bias.action).reason = bias_kept("plain_dtype is not same");
      continue;
    }
    item.tensors.push_back(bias.tensors.front());
    item.has_bias = true;
    is_taken[found->second] = true;
  }
  std::vector<WorkItem> joined;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (!is_taken[i]) joined.push_back(std::move(plan[i]));
  }
  std::ranges::stable_sort(joined, {}, [](const WorkItem& item) {
    return item.has_bias ? std::ranges::min(item.tensors) : item.tensors.front();
  });
  return joined;
}

}  // namespace pqw
