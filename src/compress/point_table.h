// The candidates of a search as points, whose errors are probed or guessed.
#pragma once

#include <span>
#include <vector>

#include "compress/budget.h"
#include "compress/candidates.h"

namespace pqw {

struct PointTable {
  std::vector<Points> points;                    // by item; an alias has one point of 0 bytes
  std::vector<std::vector<std::size_t>> origin;  // the candidate of each point

  std::size_t candidate(std::size_t item, const Choice& choice) const {
    return origin[item][choice.points[item]];
  }
};

// `with_guesses`: whether candidates that are not probed may be chosen. Their errors follow from
// two probed ones of their series.
PointTable make_point_table(std::span<const SearchItem> items, Metric metric, bool with_guesses);

}  // namespace pqw
