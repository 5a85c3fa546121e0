// Finds the harm of tensors by measuring groups of them, and splitting the groups with most harm.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace pqw {

// A tensor, or several that have their values in common.
struct HarmUnit {
  std::size_t n_weights = 0;
  std::vector<double> squared_errors;  // by operating point; 0: it is as in the original there
  std::vector<double> relative_errors;
};

// Neighbours: the units begin .. end-1.
struct UnitRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
  bool operator==(const UnitRange&) const = default;
};

struct HarmGroup {
  UnitRange units;
  std::vector<double> harms;  // by operating point
};

// The harms by operating point of each of these ranges.
using MeasureHarms =
    std::function<std::vector<std::vector<double>>(const std::vector<UnitRange>& ranges)>;

struct HarmLimits {
  std::size_t most_runs = 0;  // one run measures one range at one operating point
  double noise = 0;           // groups with at most that harm at each point are not split
};

// The runs that measuring the range needs: the points at which it differs from the original.
std::size_t runs_of(std::span<const HarmUnit> units, const UnitRange& range);

// Divides the units into groups, in their order. `all` is the harm of all units together. If there
// are runs enough, each unit is measured alone; else half of the runs are for groups of about equal
// weights, and the rest splits the group with the most harm per unit, again and again.
std::vector<HarmGroup> measure_groups(std::span<const HarmUnit> units, std::vector<double> all,
                                      const HarmLimits& limits, const MeasureHarms& measure);

// By unit and operating point: the units of a group share its harm in proportion to their squared
// errors.
std::vector<std::vector<double>> shared_harms(std::span<const HarmUnit> units,
                                              std::span<const HarmGroup> groups);

// Σ harm / Σ relative error of each unit over the points, at least 1/16 of the mean, then divided by
// the mean. 1 for all if there is no harm.
std::vector<double> importances_of(std::span<const HarmUnit> units,
                                   std::span<const std::vector<double>> harms);

}  // namespace pqw
