// The M-step: sums over fixed ranges of blocks, then means.
#include "codecs/pq/train/update.h"

#include <algorithm>
#include <limits>

#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kBlocksPerRange = 1 << 14;
constexpr std::size_t kSumsAtMost = 1 << 22;  // doubles in all ranges together: 32 MiB

// Sums over the blocks of one range.
struct Sums {
  std::vector<double> values;   // [K][d]: Σ weight * x
  std::vector<double> weights;  // [K][d] with column weights, [K] with row weights, else empty
  std::vector<std::size_t> sizes;
};

// kD is the block size if the compiler is to know it, else 0.
template <std::size_t kD>
void add_plain(BlockSpan blocks, std::span<const std::uint16_t> codes, const IndexRange& range,
               Sums& sums) {
  const std::size_t d = kD > 0 ? kD : blocks.d;
  double* values = sums.values.data();
  std::size_t* sizes = sums.sizes.data();
  const std::size_t end = range.end;
  for (std::size_t i = range.begin; i < end; ++i) {
    const std::size_t k = codes[i];
    ++sizes[k];
    for (std::size_t j = 0; j < d; ++j) values[k * d + j] += blocks[i][j];
  }
}

auto add_plain_for(std::size_t d) {
  switch (d) {
    case 2:
      return add_plain<2>;
    case 4:
      return add_plain<4>;
    case 8:
      return add_plain<8>;
    case 9:
      return add_plain<9>;
    case 16:
      return add_plain<16>;
    default:
      return add_plain<0>;
  }
}

void add_weighted(BlockSpan blocks, std::span<const std::uint16_t> codes,
                  const BlockWeights& weights, const IndexRange& range, Sums& sums) {
  const std::size_t d = blocks.d;
  const bool by_column = !weights.columns.empty();
  std::size_t r = range.begin % weights.n_rows;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const double row = weights.rows.empty() ? 1 : weights.rows[r];
    if (++r == weights.n_rows) r = 0;
    if (row == 0) continue;
    const std::size_t k = codes[i];
    ++sums.sizes[k];
    const float* columns = by_column ? weights.of_columns(i, d) : nullptr;
    for (std::size_t j = 0; j < d; ++j) {
      const double weight = by_column ? row * columns[j] : row;
      sums.values[k * d + j] += weight * blocks[i][j];
      if (by_column) sums.weights[k * d + j] += weight;
    }
    if (!by_column) sums.weights[k] += row;
  }
}

// Adds the sums of another range to the sums of the first, for centroid k.
void combine(const Sums& from, std::size_t k, std::size_t d, Sums& to) {
  if (from.sizes[k] == 0) return;
  to.sizes[k] += from.sizes[k];
  for (std::size_t j = 0; j < d; ++j) to.values[k * d + j] += from.values[k * d + j];
  const std::size_t per_centroid = from.weights.size() / from.sizes.size();
  for (std::size_t j = 0; j < per_centroid; ++j) {
    to.weights[k * per_centroid + j] += from.weights[k * per_centroid + j];
  }
}

void move_centroid(const Sums& sums, std::size_t k, std::size_t d, std::span<float> codebook) {
  const std::size_t per_centroid = sums.weights.size() / sums.sizes.size();
  for (std::size_t j = 0; j < d; ++j) {
    double weight = static_cast<double>(sums.sizes[k]);
    if (per_centroid > 0) weight = sums.weights[k * per_centroid + j % per_centroid];
    if (weight > 0) codebook[k * d + j] = static_cast<float>(sums.values[k * d + j] / weight);
  }
}

// Finds the clusters that hold two different blocks of positive weight. The search ends when every
// cluster has shown two, mostly after a short part of the data.
std::vector<std::uint8_t> find_divisible(BlockSpan blocks, std::span<const std::uint16_t> codes,
                                         const BlockWeights& weights,
                                         std::span<const std::size_t> sizes) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> first(sizes.size(), kNone);  // a block of each cluster
  std::vector<std::uint8_t> divisible(sizes.size());
  auto n_open = std::ranges::count_if(sizes, [](std::size_t size) { return size >= 2; });
  for (std::size_t i = 0; i < blocks.count() && n_open > 0; ++i) {
    const std::size_t k = codes[i];
    if (divisible[k] || weights.of_row(i) == 0) continue;
    if (first[k] == kNone) {
      first[k] = i;
    } else if (!std::equal(blocks[i], blocks[i] + blocks.d, blocks[first[k]])) {
      divisible[k] = 1;
      --n_open;
    }
  }
  return divisible;
}

}  // namespace

Clusters update_centroids(BlockSpan blocks, std::span<const std::uint16_t> codes,
                          std::span<float> codebook, const BlockWeights& weights) {
  const std::size_t n_centroids = codebook.size() / blocks.d;
  const bool weighted = !weights.rows.empty() || !weights.columns.empty();
  const std::size_t n_weights = !weighted                 ? 0
                                : weights.columns.empty() ? n_centroids
                                                          : codebook.size();
  const std::size_t n_ranges = std::clamp<std::size_t>(
      std::min(blocks.count() / kBlocksPerRange, kSumsAtMost / (codebook.size() + n_weights)), 1,
      64);
  const Sums empty{std::vector<double>(codebook.size()), std::vector<double>(n_weights),
                   std::vector<std::size_t>(n_centroids)};
  std::vector<Sums> ranges(n_ranges, empty);
  constexpr double kSumCost = 8;  // of adding to a double at a place that the code tells
  const Division division = Division::by_count(blocks.count(), n_ranges);
  const Workers workers(blocks.values.size(), kSumCost);
  workers.for_ranges(division, [&](const IndexRange& range, std::size_t) {
    if (weighted) {
      add_weighted(blocks, codes, weights, range, ranges[range.index]);
    } else {
      add_plain_for(blocks.d)(blocks, codes, range, ranges[range.index]);
    }
  });
  // Large codebooks have many sums: they are combined in order for one centroid at a time.
  Workers(n_ranges * codebook.size(), kSumCost).for_each(n_centroids, [&](std::size_t k) {
    for (std::size_t i = 1; i < n_ranges; ++i) combine(ranges[i], k, blocks.d, ranges[0]);
    move_centroid(ranges[0], k, blocks.d, codebook);
  });
  Clusters clusters{std::move(ranges[0].sizes), {}};
  if (std::ranges::find(clusters.sizes, 0u) != clusters.sizes.end()) {
    clusters.divisible = find_divisible(blocks, codes, weights, clusters.sizes);
  }
  return clusters;
}

}  // namespace pqw
