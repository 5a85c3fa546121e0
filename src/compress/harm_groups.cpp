// Finds the harm of tensors by measuring groups of them.
#include "compress/harm_groups.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace pqw {
namespace {

double most_harm(const HarmGroup& group) { return *std::ranges::max_element(group.harms); }

double weights_in(std::span<const HarmUnit> units) {
  double sum = 0;
  for (const HarmUnit& unit : units) sum += static_cast<double>(unit.n_weights);
  return sum;
}

// Where the range is cut into two parts of about equal weights; neither is empty.
std::size_t middle_of(std::span<const HarmUnit> units, const UnitRange& range) {
  const double half = weights_in(units.subspan(range.begin, range.size())) / 2;
  std::size_t cut = range.begin + 1;
  double before = static_cast<double>(units[range.begin].n_weights);
  while (cut + 1 < range.end) {
    const double next = before + static_cast<double>(units[cut].n_weights);
    if (std::abs(next - half) >= std::abs(before - half)) break;
    before = next;
    ++cut;
  }
  return cut;
}

// The range in `n` parts of about equal weights: the part with the most weights is cut until there are
// so many.
std::vector<UnitRange> parts_of(std::span<const HarmUnit> units, const UnitRange& range,
                                std::size_t n) {
  std::vector<UnitRange> parts = {range};
  while (parts.size() < std::min(n, range.size())) {
    const auto weight = [&](const UnitRange& part) {
      return part.size() < 2 ? -1 : weights_in(units.subspan(part.begin, part.size()));
    };
    const auto largest = std::ranges::max_element(parts, {}, weight);
    const std::size_t cut = middle_of(units, *largest);
    const UnitRange right{cut, largest->end};
    largest->end = cut;
    parts.insert(largest + 1, right);
  }
  return parts;
}

class GroupSearch {
 public:
  GroupSearch(std::span<const HarmUnit> units, std::vector<double> all, const HarmLimits& limits,
              const MeasureHarms& measure)
      : units_(units), noise_(limits.noise), runs_left_(limits.most_runs), measure_(measure) {
    groups_.push_back({{0, units.size()}, std::move(all)});
  }

  std::vector<HarmGroup> run() {
    if (!split(0, first_parts())) return std::move(groups_);
    for (;;) {
      const auto harm_per_unit = [&](const HarmGroup& group) {
        return may_split(group) ? most_harm(group) / static_cast<double>(group.units.size()) : -1;
      };
      const auto worst = std::ranges::max_element(groups_, {}, harm_per_unit);
      const auto index = static_cast<std::size_t>(worst - groups_.begin());
      if (!split(index, 2)) return std::move(groups_);
    }
  }

 private:
  bool may_split(const HarmGroup& group) const {
    return group.units.size() > 1 && most_harm(group) > noise_;
  }

  std::size_t runs_of_parts(std::span<const UnitRange> parts) const {
    std::size_t n = 0;
    for (const UnitRange& part : parts) n += runs_of(units_, part);
    return n;
  }

  std::size_t first_parts() const {
    const UnitRange all{0, units_.size()};
    if (runs_of_parts(parts_of(units_, all, units_.size())) <= runs_left_) return units_.size();
    const std::size_t runs = std::max<std::size_t>(1, runs_of(units_, all));
    return std::max<std::size_t>(2, runs_left_ / (2 * runs));
  }

  // False if the group may not be split, or if there are too few runs left.
  bool split(std::size_t index, std::size_t n) {
    if (!may_split(groups_[index])) return false;
    const std::vector<UnitRange> parts = parts_of(units_, groups_[index].units, n);
    const std::size_t runs = runs_of_parts(parts);
    if (runs > runs_left_) return false;
    runs_left_ -= runs;
    const std::vector<std::vector<double>> harms = measure_(parts);
    std::vector<HarmGroup> measured;
    for (std::size_t i = 0; i < parts.size(); ++i) measured.push_back({parts[i], harms[i]});
    const auto at = groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(index));
    groups_.insert(at, measured.begin(), measured.end());
    return true;
  }

  std::span<const HarmUnit> units_;
  double noise_;
  std::size_t runs_left_;
  const MeasureHarms& measure_;
  std::vector<HarmGroup> groups_;
};

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

std::size_t runs_of(std::span<const HarmUnit> units, const UnitRange& range) {
  std::size_t n = 0;
  for (std::size_t p = 0; p < units[range.begin].squared_errors.size(); ++p) {
    n += std::ranges::any_of(units.subspan(range.begin, range.size()),
                             [&](const HarmUnit& unit) { return unit.squared_errors[p] > 0; });
  }
  return n;
}

std::vector<HarmGroup> measure_groups(std::span<const HarmUnit> units, std::vector<double> all,
                                      const HarmLimits& limits, const MeasureHarms& measure) {
  return GroupSearch(units, std::move(all), limits, measure).run();
}

std::vector<std::vector<double>> shared_harms(std::span<const HarmUnit> units,
                                              std::span<const HarmGroup> groups) {
  std::vector<std::vector<double>> harms;
  for (const HarmGroup& group : groups) {
    const auto members = units.subspan(group.units.begin, group.units.size());
    for (const HarmUnit& unit : members) {
      std::vector<double> own;
      for (std::size_t p = 0; p < group.harms.size(); ++p) {
        double sum = 0;
        for (const HarmUnit& member : members) sum += member.squared_errors[p];
        own.push_back(sum > 0 ? group.harms[p] * unit.squared_errors[p] / sum : 0);
      }
      harms.push_back(std::move(own));
    }
  }
  return harms;
}

std::vector<double> importances_of(std::span<const HarmUnit> units,
                                   std::span<const std::vector<double>> harms) {
  constexpr double kLeast = 1.0 / 16;
  std::vector<double> importances;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const double error = sum_of(units[i].relative_errors);
    importances.push_back(error > 0 ? std::max(0.0, sum_of(harms[i]) / error) : 0);
  }
  const double n = static_cast<double>(units.size());
  const double mean = sum_of(importances) / n;
  if (!(mean > 0)) return std::vector<double>(units.size(), 1.0);
  for (double& importance : importances) importance = std::max(importance, kLeast * mean);
  const double floored_mean = sum_of(importances) / n;
  for (double& importance : importances) importance /= floored_mean;
  return importances;
}

}  // namespace pqw
