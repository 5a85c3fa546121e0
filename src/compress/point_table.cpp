// Turns candidates into points, and guesses the errors of those that are not probed.
#include "compress/point_table.h"

#include <algorithm>
#include <cmath>

#include "compress/file_error.h"

namespace pqw {
namespace {

struct Guess {
  double error;
  std::int64_t saved_bytes;
  bool is_near = true;  // probed, or near a probed candidate
};

// Follows two probed candidates of the series: the nearest one, and the nearest one on the other
// side of `wanted`. If all are on one side, the second is the farthest, as neighbours tell little
// about others. The error follows a power law of the number, saved bytes a line of its logarithm.
std::optional<Guess> guess(const SearchItem& item, const Candidate& wanted) {
  std::vector<const Candidate*> known;
  for (const Candidate& other : item.candidates) {
    if (other.series == wanted.series && other.relative_error) known.push_back(&other);
  }
  if (wanted.series == 0 || known.size() < 2) return std::nullopt;
  const double at = std::log(wanted.number);
  const auto is_below = [&](const Candidate* other) { return std::log(other->number) < at; };
  std::ranges::stable_sort(
      known, {}, [&](const Candidate* other) { return std::abs(std::log(other->number) - at); });
  const auto opposite = std::ranges::find_if(
      known, [&](const Candidate* other) { return is_below(other) != is_below(known[0]); });
  std::swap(known[1], opposite != known.end() ? *opposite : known.back());
  const auto log_error = [](const Candidate* candidate) {
    constexpr double kLeast = 1e-30;
    return std::log(std::max(*candidate->relative_error, kLeast));
  };
  const double x0 = std::log(known[0]->number), x1 = std::log(known[1]->number);
  const double low = log_error(known[0]), high = log_error(known[1]);
  const double along = (at - x0) / (x1 - x0);
  const auto saved = static_cast<double>(known[0]->saved_bytes);
  const double saved_here = saved + (static_cast<double>(known[1]->saved_bytes) - saved) * along;
  return Guess{std::exp(low + (high - low) * along), static_cast<std::int64_t>(saved_here),
               are_near(*known[0], wanted)};
}

}  // namespace

PointTable make_point_table(std::span<const SearchItem> items, Metric metric, bool with_guesses) {
  MetricSum sum(metric);
  for (const SearchItem& item : items) sum.add(0, item.squared_norm, item.importance);
  PointTable table;
  for (const SearchItem& item : items) {
    // The amount that a relative error of 1 in this tensor adds to the error of the file.
    const double weight = sum.most() > 0 ? sum.weight(item.squared_norm, item.importance) *
                                               item.squared_norm / sum.most()
                                         : 0;
    Points points;
    std::vector<std::size_t> origin;
    for (std::size_t c = 0; c < item.candidates.size(); ++c) {
      const Candidate& candidate = item.candidates[c];
      std::optional<Guess> known = candidate.relative_error
                                       ? Guess{*candidate.relative_error, candidate.saved_bytes}
                                       : guess(item, candidate);
      if (known && candidate.was_made) known->saved_bytes = candidate.saved_bytes;
      if (!known || !(with_guesses || known->is_near)) continue;
      const std::int64_t bytes = static_cast<std::int64_t>(candidate.bytes) - known->saved_bytes;
      points.push_back(
          {static_cast<std::uint64_t>(std::max<std::int64_t>(0, bytes)), known->error * weight});
      origin.push_back(c);
    }
    if (item.same_as) points.push_back({}), origin.push_back(0);
    table.points.push_back(std::move(points));
    table.origin.push_back(std::move(origin));
  }
  return table;
}

}  // namespace pqw
