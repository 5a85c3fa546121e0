// What is said of each tensor after its harm was measured.
#include "compress/sensitivity_result.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "pipeline/name_pattern.h"

namespace pqw {
namespace {

// By unit: the tensors that were measured with it.
std::vector<std::size_t> group_sizes(const TensorUnits& units, std::span<const HarmGroup> groups) {
  std::vector<std::size_t> sizes;
  for (const auto& members : units.members) sizes.push_back(members.size());
  for (const HarmGroup& group : groups) {
    std::size_t n = 0;
    for (std::size_t u = group.units.begin; u < group.units.end; ++u) n += units.members[u].size();
    for (std::size_t u = group.units.begin; u < group.units.end; ++u) sizes[u] = n;
  }
  return sizes;
}

}  // namespace

std::vector<TensorSensitivity> sensitivities(const WeightReader& originals,
                                             const TensorUnits& units,
                                             std::span<const std::vector<double>> harms,
                                             std::span<const HarmGroup> groups) {
  const std::vector<double> importances = importances_of(units.units, harms);
  const std::vector<std::size_t> sizes = group_sizes(units, groups);
  std::map<std::size_t, TensorSensitivity> by_index;
  for (std::size_t u = 0; u < harms.size(); ++u) {
    const auto n = static_cast<double>(units.members[u].size());
    for (const std::size_t i : units.members[u]) {
      TensorSensitivity tensor{.info = originals.tensors()[i],
                               .importance = importances[u] / n,
                               .n_measured_with = sizes[u]};
      const std::size_t n_points = harms[u].size();
      for (std::size_t p = 0; p < n_points; ++p) {
        tensor.points.push_back({units.units[u].relative_errors[p], harms[u][p] / n});
        tensor.harm += harms[u][p] / n / static_cast<double>(n_points);
      }
      by_index.emplace(i, std::move(tensor));
    }
  }
  std::vector<TensorSensitivity> tensors;
  for (auto& [index, tensor] : by_index) tensors.push_back(std::move(tensor));
  return tensors;
}

std::vector<Rule> importance_rules(std::span<const TensorSensitivity> tensors) {
  std::vector<Rule> rules;
  for (const TensorSensitivity& tensor : tensors) {
    rules.push_back({fmt::format("^{}$", escaped_pattern(tensor.info.name)),
                     {{"importance", fmt::format("{:.4g}", tensor.importance)}}});
  }
  return rules;
}

}  // namespace pqw
