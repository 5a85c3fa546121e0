// Divides a size or an error among tensors that each have a list of operating points.
//
// Y. Shoham and A. Gersho, "Efficient bit allocation for an arbitrary set of quantizers" (IEEE
// Trans. ASSP 36, 1988): on the convex hulls of all tensors, the points of equal slope give the
// least error of all choices of their size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pqw {

// One way to store a tensor.
struct Point {
  std::uint64_t bytes = 0;
  double error = 0;  // as it counts in the sum over all tensors
};

using Points = std::vector<Point>;  // of one tensor; at least one

// The points on the lower convex hull: indices, by rising bytes and falling error. The first one
// has the fewest bytes. Of equal points it has the first one.
std::vector<std::size_t> convex_hull(const Points& points);

struct Choice {
  std::vector<std::size_t> points;  // one per tensor
  // Error per byte that the next step on a hull would save; 0 if there is none.
  double slope = 0;
  bool operator==(const Choice&) const = default;
};

std::uint64_t bytes_of(std::span<const Points> tensors, const Choice& choice);
double error_of(std::span<const Points> tensors, const Choice& choice);

// The point of fewest bytes of each tensor.
Choice smallest_choice(std::span<const Points> tensors);

// The points of equal slope that take at most so many bytes. Then, while there is room, the
// tensor and point that save most per byte, on the hull or not. Empty if the smallest choice is
// larger.
std::optional<Choice> choose_by_size(std::span<const Points> tensors, std::uint64_t bytes);

// The points of equal slope just above that error, and the cheapest single step to it or below.
// Empty if no choice has such a small error.
std::optional<Choice> choose_by_error(std::span<const Points> tensors, double error);

}  // namespace pqw
