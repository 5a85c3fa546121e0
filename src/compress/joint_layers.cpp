// Tensors of a plan that are to be the layers of one.
#include "compress/joint_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

// Whether two tensors can be layers of one.
bool alike(const PlanEntry& a, const PlanEntry& b) {
  return a.info.shape == b.info.shape && a.info.dtype == b.info.dtype &&
         a.plain_if_not_finite == b.plain_if_not_finite && a.options == b.options &&
         a.fallback == b.fallback;
}

// Scales and zero points of adopted tensors, which will be no tensors of their own.
std::set<std::size_t> hidden_in(std::span<const PlanEntry> plan) {
  std::set<std::size_t> hidden;
  for (const PlanEntry& entry : plan) {
    if (!entry.reference) continue;
    hidden.insert(entry.reference->scale);
    if (entry.reference->zero_point) hidden.insert(*entry.reference->zero_point);
  }
  return hidden;
}

// Their modes were checked one by one; how many ranks there are to be depends on the layers.
void check_ranks(const PlanEntry& entry, std::size_t n_layers) {
  const auto& options = std::get<TensorizedOptions>(entry.options);
  try {
    make_layout(matrix_shape(entry.info.shape), n_layers, options);
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("{} and what is joint with it ({} layers): {}",
                            quoted("tensor", entry.info.name), n_layers, error.what()));
  }
}

}  // namespace

std::string_view joint_label(const CodecOptions& options) {
  const auto* tensorized = std::get_if<TensorizedOptions>(&options);
  return tensorized == nullptr ? std::string_view() : tensorized->joint;
}

void join_layers(std::span<PlanEntry> plan) {
  const std::set<std::size_t> hidden = hidden_in(plan);
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (!plan[i].compress || hidden.contains(i) || joint_label(plan[i].options).empty()) continue;
    const auto group = std::ranges::find_if(
        groups, [&](const auto& layers) { return alike(plan[layers.front()], plan[i]); });
    if (group == groups.end()) {
      groups.push_back({i});
    } else {
      group->push_back(i);
    }
  }
  for (const auto& layers : groups) {
    check_ranks(plan[layers.front()], layers.size());
    if (layers.size() == 1) continue;
    for (const std::size_t layer : layers) plan[layer].layers = layers;
  }
}

}  // namespace pqw
