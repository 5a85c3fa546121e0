// Relocation: centroids move out of local optima.
#include "codecs/pq/train/relocate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "core/parallel.h"

namespace pqw {
namespace {

constexpr double kWorthIt = 1.1;  // gain over cost of the moves that are made
constexpr std::size_t kBlocksPerRange = 1 << 15;

// Mass of each cluster and scatter Σ w (x_j - c_j)² along each axis.
struct Scatter {
  std::vector<double> mass;     // [K]
  std::vector<double> squares;  // [K][d]
};

void add_scatter(BlockSpan blocks, std::span<const std::uint16_t> codes,
                 const BlockWeights& weights, std::span<const float> codebook,
                 const IndexRange& range, Scatter& scatter) {
  const std::size_t d = blocks.d;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const std::size_t k = codes[i];
    const double weight = weights.of_row(i);
    scatter.mass[k] += weight;
    for (std::size_t j = 0; j < d; ++j) {
      const double difference = static_cast<double>(blocks[i][j]) - codebook[k * d + j];
      scatter.squares[k * d + j] += weight * difference * difference;
    }
  }
}

Scatter measure_scatter(BlockSpan blocks, std::span<const std::uint16_t> codes,
                        const BlockWeights& weights, std::span<const float> codebook) {
  const std::size_t n_centroids = codebook.size() / blocks.d;
  const Scatter empty{std::vector<double>(n_centroids), std::vector<double>(codebook.size())};
  const std::size_t n_ranges = std::clamp<std::size_t>(blocks.count() / kBlocksPerRange, 1, 32);
  const Workers workers(blocks.values.size(), 4);
  return workers.reduce_in_order(
      Division::by_count(blocks.count(), n_ranges), empty,
      [&](const IndexRange& range, std::size_t, Scatter& scatter) {
        add_scatter(blocks, codes, weights, codebook, range, scatter);
      },
      [&](Scatter& sum, const Scatter& scatter) {
        for (std::size_t k = 0; k < n_centroids; ++k) sum.mass[k] += scatter.mass[k];
        for (std::size_t i = 0; i < codebook.size(); ++i) sum.squares[i] += scatter.squares[i];
      });
}

struct Split {
  double gain;
  std::size_t axis;
};

Split best_split(const Scatter& scatter, std::size_t k, std::size_t d) {
  const auto first = scatter.squares.begin() + static_cast<std::ptrdiff_t>(k * d);
  const auto widest = std::max_element(first, first + static_cast<std::ptrdiff_t>(d));
  return {2 / std::numbers::pi * *widest, static_cast<std::size_t>(widest - first)};
}

struct Join {
  double cost;
  std::size_t neighbour;
};

Join cheapest_join(const Scatter& scatter, std::span<const float> codebook, std::size_t k,
                   std::size_t d) {
  Join best{std::numeric_limits<double>::infinity(), k};
  for (std::size_t m = 0; m < scatter.mass.size(); ++m) {
    const double masses = scatter.mass[k] + scatter.mass[m];
    if (m == k || masses <= 0) continue;
    double distance = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const double difference = static_cast<double>(codebook[k * d + j]) - codebook[m * d + j];
      distance += difference * difference;
    }
    const double cost = scatter.mass[k] * scatter.mass[m] / masses * distance;
    if (cost < best.cost) best = {cost, m};
  }
  return best;
}

// The neighbour takes over the blocks of `moved`, which goes beside `donor`.
void move(const Scatter& scatter, std::size_t moved, std::size_t neighbour, std::size_t donor,
          std::size_t axis, std::size_t d, std::span<float> codebook) {
  const double masses = scatter.mass[moved] + scatter.mass[neighbour];
  for (std::size_t j = 0; j < d; ++j) {
    const double sum = scatter.mass[moved] * codebook[moved * d + j] +
                       scatter.mass[neighbour] * codebook[neighbour * d + j];
    codebook[neighbour * d + j] = static_cast<float>(sum / masses);
    codebook[moved * d + j] = codebook[donor * d + j];
  }
  // The mean of half a normal distribution.
  const double step =
      std::sqrt(2 / std::numbers::pi * scatter.squares[donor * d + axis] / scatter.mass[donor]);
  codebook[moved * d + axis] += static_cast<float>(step);
  codebook[donor * d + axis] -= static_cast<float>(step);
}

}  // namespace

std::size_t relocate_centroids(BlockSpan blocks, std::span<const std::uint16_t> codes,
                               const BlockWeights& weights, std::span<float> codebook) {
  const std::size_t d = blocks.d;
  const Scatter scatter = measure_scatter(blocks, codes, weights, codebook);
  const std::size_t n_centroids = scatter.mass.size();
  std::vector<Split> splits(n_centroids);
  std::vector<Join> joins(n_centroids);
  Workers(n_centroids * n_centroids * d, 1).for_each(n_centroids, [&](std::size_t k) {
    splits[k] = best_split(scatter, k, d);
    joins[k] = cheapest_join(scatter, codebook, k, d);
  });
  std::vector<std::size_t> donors(n_centroids), moved(n_centroids);
  std::iota(donors.begin(), donors.end(), std::size_t{0});
  std::iota(moved.begin(), moved.end(), std::size_t{0});
  std::stable_sort(donors.begin(), donors.end(),
                   [&](std::size_t a, std::size_t b) { return splits[a].gain > splits[b].gain; });
  std::stable_sort(moved.begin(), moved.end(),
                   [&](std::size_t a, std::size_t b) { return joins[a].cost < joins[b].cost; });
  std::vector<bool> used(n_centroids);
  std::size_t n_moves = 0;
  std::size_t next = 0;
  for (const std::size_t k : moved) {
    const std::size_t neighbour = joins[k].neighbour;
    if (used[k] || used[neighbour] || neighbour == k) continue;
    while (next < n_centroids &&
           (used[donors[next]] || donors[next] == k || donors[next] == neighbour)) {
      ++next;
    }
    if (next == n_centroids || splits[donors[next]].gain <= kWorthIt * joins[k].cost) break;
    const std::size_t donor = donors[next];
    used[k] = used[neighbour] = used[donor] = true;
    move(scatter, k, neighbour, donor, splits[donor].axis, d, codebook);
    ++n_moves;
  }
  return n_moves;
}

}  // namespace pqw
