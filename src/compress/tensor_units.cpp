// The tensors of a model that is compressed at operating points.
#include "compress/tensor_units.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

namespace pqw {
namespace {

// The tensor whose values that one has too.
std::size_t owner_of(std::size_t tensor, const WeightReader& originals,
                     std::span<const PointModel> points) {
  std::size_t owner = std::min(tensor, originals.stored_as(tensor));
  for (const PointModel& point : points) owner = std::min(owner, point.made.stored_as(tensor));
  return owner == tensor ? owner : owner_of(owner, originals, points);
}

HarmUnit unit_of(const TensorInfo& info, std::size_t tensor, std::span<const PointModel> points) {
  HarmUnit unit;
  unit.n_weights = element_count(info.shape);
  for (const PointModel& point : points) {
    const TensorReport* report = point.made.report_of(tensor);
    if (report != nullptr && point.without_statistics) {
      const TensorReport* const other = point.without_statistics->report_of(tensor);
      if (other != nullptr) report = other;
    }
    unit.squared_errors.push_back(report ? report->distortion->squared_error() : 0);
    unit.relative_errors.push_back(report ? report->distortion->relative_error() : 0);
  }
  return unit;
}

std::optional<double> output_error(std::size_t tensor, const PointModel& point) {
  const TensorReport* const report = point.made.report_of(tensor);
  if (report == nullptr || !report->output_error) return std::nullopt;
  const double error = report->output_error->relative();
  return std::isfinite(error) ? std::optional(error) : std::nullopt;
}

}  // namespace

std::vector<std::size_t> TensorUnits::tensors_of(const UnitRange& range, std::size_t point) const {
  std::vector<std::size_t> tensors;
  for (std::size_t u = range.begin; u < range.end; ++u) {
    if (units[u].squared_errors[point] == 0) continue;
    tensors.insert(tensors.end(), members[u].begin(), members[u].end());
  }
  std::ranges::sort(tensors);
  return tensors;
}

TensorUnits find_units(const WeightReader& originals, std::span<const PointModel> points) {
  std::map<std::size_t, std::vector<std::size_t>> members;  // by owner
  for (std::size_t i = 0; i < originals.tensors().size(); ++i) {
    const bool counts = std::ranges::any_of(
        points, [&](const PointModel& point) { return point.made.report_of(i) != nullptr; });
    if (counts) members[owner_of(i, originals, points)].push_back(i);
  }
  TensorUnits result;
  for (auto& [owner, tensors] : members) {
    const std::size_t first = tensors.front();
    result.units.push_back(unit_of(originals.tensors()[first], first, points));
    result.members.push_back(std::move(tensors));
  }
  return result;
}

std::vector<std::vector<double>> output_harms(const TensorUnits& units,
                                              std::span<const PointModel> points) {
  std::vector<std::vector<double>> harms;
  for (std::size_t u = 0; u < units.units.size(); ++u) {
    std::vector<double>& own = harms.emplace_back();
    for (std::size_t p = 0; p < points.size(); ++p) {
      const auto error = output_error(units.members[u].front(), points[p]);
      own.push_back(error.value_or(units.units[u].relative_errors[p]));
    }
  }
  return harms;
}

bool has_outputs(std::size_t tensor, std::span<const PointModel> points) {
  return std::ranges::any_of(
      points, [&](const PointModel& point) { return output_error(tensor, point).has_value(); });
}

}  // namespace pqw
