// Divides a size or an error among tensors by the convex hulls of their operating points.
#include "compress/budget.h"

#include <algorithm>
#include <numeric>

namespace pqw {
namespace {

// Error that a step from one point to a larger one saves per byte.
double slope(const Point& from, const Point& to) {
  return (from.error - to.error) / static_cast<double>(to.bytes - from.bytes);
}

bool improves(const Point& from, const Point& to) {
  return to.bytes > from.bytes && to.error < from.error;
}

// A step of one tensor to another point.
struct Step {
  std::size_t tensor;
  std::size_t point;
  double slope;
};

// The steps on all hulls, steepest first. Those of one tensor stay in order, as a hull is convex.
std::vector<Step> hull_steps(std::span<const Points> tensors) {
  std::vector<Step> steps;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const std::vector<std::size_t> hull = convex_hull(tensors[t]);
    for (std::size_t i = 1; i < hull.size(); ++i) {
      steps.push_back({t, hull[i], slope(tensors[t][hull[i - 1]], tensors[t][hull[i]])});
    }
  }
  std::ranges::stable_sort(steps, std::greater(), &Step::slope);
  return steps;
}

// A way up from the smallest choice along the hulls.
class Climb {
 public:
  explicit Climb(std::span<const Points> tensors)
      : tensors_(tensors), steps_(hull_steps(tensors)), choice_(smallest_choice(tensors)) {
    set_slope();
  }

  const Choice& choice() const { return choice_; }

  // Takes the next step if the choice after it fulfils the condition.
  template <class Condition>
  bool climb_if(const Condition& condition) {
    if (next_ == steps_.size()) return false;
    Choice after = choice_;
    after.points[steps_[next_].tensor] = steps_[next_].point;
    if (!condition(after)) return false;
    choice_ = std::move(after);
    ++next_;
    set_slope();
    return true;
  }

 private:
  void set_slope() { choice_.slope = next_ < steps_.size() ? steps_[next_].slope : 0; }

  std::span<const Points> tensors_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
  Choice choice_;
};

// The single step that saves most per byte and takes at most so many bytes.
std::optional<Step> best_step(std::span<const Points> tensors, const Choice& choice,
                              std::uint64_t room) {
  std::optional<Step> best;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const Point& from = tensors[t][choice.points[t]];
    for (std::size_t p = 0; p < tensors[t].size(); ++p) {
      const Point& to = tensors[t][p];
      if (!improves(from, to) || to.bytes - from.bytes > room) continue;
      const double gain = slope(from, to);
      if (!best || gain > best->slope) best = {t, p, gain};
    }
  }
  return best;
}

// The single step of fewest bytes that saves that much error.
std::optional<Step> cheapest_step(std::span<const Points> tensors, const Choice& choice,
                                  double excess) {
  std::optional<Step> best;
  std::uint64_t least = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const Point& from = tensors[t][choice.points[t]];
    for (std::size_t p = 0; p < tensors[t].size(); ++p) {
      const Point& to = tensors[t][p];
      if (!improves(from, to) || from.error - to.error < excess) continue;
      if (best && to.bytes - from.bytes >= least) continue;
      best = {t, p, slope(from, to)};
      least = to.bytes - from.bytes;
    }
  }
  return best;
}

}  // namespace

std::vector<std::size_t> convex_hull(const Points& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const Point &x = points[a], &y = points[b];
    return x.bytes != y.bytes ? x.bytes < y.bytes : x.error < y.error;
  });
  std::vector<std::size_t> hull;
  for (const std::size_t i : order) {
    if (!hull.empty() && !improves(points[hull.back()], points[i])) continue;
    while (hull.size() >= 2 && slope(points[hull[hull.size() - 2]], points[hull.back()]) <=
                                   slope(points[hull.back()], points[i])) {
      hull.pop_back();
    }
    hull.push_back(i);
  }
  return hull;
}

std::uint64_t bytes_of(std::span<const Points> tensors, const Choice& choice) {
  std::uint64_t sum = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) sum += tensors[t][choice.points[t]].bytes;
  return sum;
}

double error_of(std::span<const Points> tensors, const Choice& choice) {
  double sum = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) sum += tensors[t][choice.points[t]].error;
  return sum;
}

Choice smallest_choice(std::span<const Points> tensors) {
  Choice choice;
  for (const Points& points : tensors) choice.points.push_back(convex_hull(points).front());
  return choice;
}

std::optional<Choice> choose_by_size(std::span<const Points> tensors, std::uint64_t bytes) {
  Climb climb(tensors);
  const auto fits = [&](const Choice& choice) { return bytes_of(tensors, choice) <= bytes; };
  if (!fits(climb.choice())) return std::nullopt;
  while (climb.climb_if(fits)) continue;
  Choice choice = climb.choice();
  while (const auto step = best_step(tensors, choice, bytes - bytes_of(tensors, choice))) {
    choice.points[step->tensor] = step->point;
  }
  return choice;
}

std::optional<Choice> choose_by_error(std::span<const Points> tensors, double error) {
  Climb climb(tensors);
  const auto exceeds = [&](const Choice& choice) { return error_of(tensors, choice) > error; };
  if (!exceeds(climb.choice())) return climb.choice();
  while (climb.climb_if(exceeds)) continue;
  Choice choice = climb.choice();
  const auto step = cheapest_step(tensors, choice, error_of(tensors, choice) - error);
  if (!step) return std::nullopt;
  choice.points[step->tensor] = step->point;
  return choice;
}

}  // namespace pqw
