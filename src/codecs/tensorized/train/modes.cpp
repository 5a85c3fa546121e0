// Chooses the modes and ranks of a matrix.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "codecs/tensorized/train/decompose.h"
#include "codecs/tensorized/value/layout.h"
#include "core/subject.h"
#include "pqw/codecs/tensorized.h"

namespace pqw {
namespace {

// The rising factorisation of `size` into n factors of least .. most with the smallest sum; the
// first one in lexicographic order where several have it. Empty when there is none.
Shape best_factors(std::size_t size, std::size_t n, std::size_t least, std::size_t most) {
  if (n == 1) return size >= least && size <= most ? Shape{size} : Shape{};
  Shape best;
  std::size_t best_sum = 0;
  for (std::size_t first = least; first <= most; ++first) {
    // The others are at least `first`.
    if (std::pow(static_cast<double>(first), static_cast<double>(n)) >
        static_cast<double>(size) * 1.000001) {
      break;
    }
    if (size % first != 0) continue;
    Shape factors = best_factors(size / first, n - 1, first, most);
    if (factors.empty()) continue;
    factors.insert(factors.begin(), first);
    const std::size_t sum = std::accumulate(factors.begin(), factors.end(), std::size_t{0});
    if (!best.empty() && sum >= best_sum) continue;
    best = std::move(factors);
    best_sum = sum;
  }
  return best;
}

void check_modes(const Shape& modes, std::size_t side, const char* which) {
  const auto count = checked_element_count(modes);
  if (!count || *count < side || *count / 2 >= side) {
    throw invalid_argument("{}={}: expected a product of {} or more, below {}, for {} {}", which,
                           fmt::join(modes, "x"), side, 2 * side, side,
                           which[0] == 'o' ? "rows" : "columns");
  }
}

// The largest of lowest .. highest for which `fits`; lowest if none does. REQUIRES: `fits` is
// true up to some value and false after it.
template <class Fits>
std::size_t largest(std::size_t lowest, std::size_t highest, const Fits& fits) {
  while (lowest < highest) {
    const std::size_t middle = highest - (highest - lowest) / 2;
    if (fits(middle)) {
      lowest = middle;
    } else {
      highest = middle - 1;
    }
  }
  return lowest;
}

// The largest useful value of each rank of the layout; kCp has no bound.
std::vector<std::size_t> rank_bounds(const TensorLayout& layout) {
  if (layout.form == TensorForm::kTucker) return tensorized::all_modes(layout);
  std::vector<std::size_t> modes;
  for (const tensorized::CoreModes& core : tensorized::core_modes(layout)) {
    modes.push_back(core.out * core.in);
  }
  return tensorized::largest_train_ranks(modes);
}

std::size_t parameters_with(TensorLayout layout, std::vector<std::size_t> ranks) {
  layout.ranks = std::move(ranks);
  return parameter_count(layout);
}

std::vector<std::size_t> clipped(std::vector<std::size_t> bounds, std::size_t rank) {
  for (std::size_t& bound : bounds) bound = std::min(bound, rank);
  return bounds;
}

// Ranks nearest to share * d_k.
std::vector<std::size_t> scaled(std::vector<std::size_t> bounds, double share) {
  for (std::size_t& bound : bounds) {
    const auto rank = static_cast<std::size_t>(std::lround(share * static_cast<double>(bound)));
    bound = std::clamp<std::size_t>(rank, 1, bound);
  }
  return bounds;
}

// One more in each rank that has a larger bound, in turn, as long as they fit.
template <class Fits>
std::vector<std::size_t> filled_up(std::vector<std::size_t> ranks,
                                   const std::vector<std::size_t>& bounds, const Fits& fits) {
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t k = 0; k < ranks.size(); ++k) {
      if (ranks[k] == bounds[k]) continue;
      ++ranks[k];
      if (fits(ranks)) {
        grown = true;
      } else {
        --ranks[k];
      }
    }
  }
  return ranks;
}

std::vector<std::size_t> ranks_of_fraction(const TensorLayout& layout, double parameters) {
  const auto fits = [&](std::vector<std::size_t> ranks) {
    return static_cast<double>(parameters_with(layout, std::move(ranks))) <= parameters;
  };
  if (layout.form == TensorForm::kCp) {
    const Shape modes = tensorized::all_modes(layout);
    const auto sum = std::accumulate(modes.begin(), modes.end(), std::size_t{0});
    return {std::max<std::size_t>(1, static_cast<std::size_t>(parameters) / sum)};
  }
  const std::vector<std::size_t> bounds = rank_bounds(layout);
  if (bounds.empty()) return {};
  if (layout.form == TensorForm::kTucker) {
    constexpr std::size_t kSteps = 1 << 20;  // of the share
    const auto ranks = [&](std::size_t step) {
      return scaled(bounds, static_cast<double>(step) / kSteps);
    };
    return filled_up(ranks(largest(0, kSteps, [&](std::size_t step) { return fits(ranks(step)); })),
                     bounds, fits);
  }
  const std::size_t highest = *std::ranges::max_element(bounds);
  const std::size_t rank =
      largest(1, highest, [&](std::size_t candidate) { return fits(clipped(bounds, candidate)); });
  return filled_up(clipped(bounds, rank), bounds, fits);
}

void set_ranks(TensorLayout& layout, const TensorRank& rank, double dense_parameters) {
  const std::vector<std::size_t>& sizes = rank.sizes;
  if (sizes.empty()) {
    layout.ranks = ranks_of_fraction(layout, rank.fraction * dense_parameters);
    return;
  }
  if (layout.form == TensorForm::kCp) {
    layout.ranks = sizes;
    return;  // factor_shapes checks how many
  }
  const std::vector<std::size_t> bounds = rank_bounds(layout);
  if (sizes.size() == 1) {
    layout.ranks = clipped(bounds, sizes[0]);
    return;
  }
  layout.ranks = sizes;
  for (std::size_t k = 0; k < std::min(sizes.size(), bounds.size()); ++k) {
    if (sizes[k] > bounds[k]) {
      throw invalid_argument("rank={}: expected {} at most for a {} weight of modes {} x {}",
                             fmt::join(sizes, "x"), fmt::join(bounds, "x"), to_string(layout.form),
                             to_string(layout.out_modes), to_string(layout.in_modes));
    }
  }
}

}  // namespace

Shape balanced_modes(std::size_t side, std::size_t n_modes) {
  std::size_t n = 1;
  while (n < n_modes && (side >> (n + 1)) > 0) ++n;
  if (n == 1) return {side};
  const double root = std::pow(static_cast<double>(side), 1 / static_cast<double>(n));
  const auto most = static_cast<std::size_t>(2 * std::ceil(root - 1e-9));
  for (std::size_t size = side;; ++size) {  // ends below 2 * side, at a power of two
    Shape modes = best_factors(size, n, 2, most);
    if (!modes.empty()) return modes;
  }
}

TensorLayout make_layout(MatrixShape matrix, std::size_t n_layers,
                         const TensorizedOptions& options) {
  if (matrix.rows == 0 || matrix.cols == 0)
    throw invalid_argument("an empty matrix cannot be tensorized");
  TensorLayout layout{.form = options.form,
                      .out_modes = options.out_modes,
                      .in_modes = options.in_modes,
                      .n_layers = n_layers,
                      .ranks = {}};
  if (layout.out_modes.empty()) layout.out_modes = balanced_modes(matrix.rows, options.n_modes);
  if (layout.in_modes.empty()) layout.in_modes = balanced_modes(matrix.cols, options.n_modes);
  check_modes(layout.out_modes, matrix.rows, "out");
  check_modes(layout.in_modes, matrix.cols, "in");
  if (layout.form == TensorForm::kTtm) {
    const std::size_t n = std::max(layout.out_modes.size(), layout.in_modes.size());
    for (Shape* side : {&layout.out_modes, &layout.in_modes}) {
      side->insert(side->begin(), n - side->size(), 1);
    }
  }
  if (layout.form == TensorForm::kTtm && n_layers > 1) {
    throw invalid_argument(
        "form=ttm cannot be joint: its modes are pairs and leave no place for layers; expected "
        "cp, tucker or tt");
  }
  set_ranks(layout, options.rank,
            static_cast<double>(n_layers) * static_cast<double>(matrix.rows) *
                static_cast<double>(matrix.cols));
  factor_shapes(layout);  // checks the rest
  return layout;
}

}  // namespace pqw
