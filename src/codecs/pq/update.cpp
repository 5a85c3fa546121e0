// The M-step: sums over fixed ranges of blocks, then means.
#include "codecs/pq/update.h"

#include <algorithm>
#include <limits>

namespace pqw {
namespace {

constexpr std::size_t kBlocksPerRange = 1 << 14;
constexpr std::size_t kSumsAtMost = 1 << 22;  // doubles in all ranges together: 32 MiB

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// What the blocks of one range add up to.
struct Sums {
  std::vector<double> values;   // [K][d]: Σ weight * x
  std::vector<double> weights;  // [K][d] with column weights, [K] with row weights, else empty
  std::vector<std::size_t> sizes;
  std::vector<std::size_t> first;  // a block of each cluster; kNone: it has none
  std::vector<std::uint8_t> divisible;
};

bool equal_blocks(BlockSpan blocks, std::size_t a, std::size_t b) {
  return std::equal(blocks[a], blocks[a] + blocks.d, blocks[b]);
}

void note_member(BlockSpan blocks, std::size_t i, std::size_t k, Sums& sums) {
  if (sums.sizes[k]++ == 0) {
    sums.first[k] = i;
  } else if (!sums.divisible[k]) {
    sums.divisible[k] = !equal_blocks(blocks, i, sums.first[k]);
  }
}

void add_plain(BlockSpan blocks, std::span<const std::uint16_t> codes, std::size_t begin,
               std::size_t end, Sums& sums) {
  const std::size_t d = blocks.d;
  for (std::size_t i = begin; i < end; ++i) {
    const std::size_t k = codes[i];
    note_member(blocks, i, k, sums);
    const float* block = blocks[i];
    double* sum = sums.values.data() + k * d;
    for (std::size_t j = 0; j < d; ++j) sum[j] += block[j];
  }
}

void add_weighted(BlockSpan blocks, std::span<const std::uint16_t> codes,
                  const BlockWeights& weights, std::size_t begin, std::size_t end, Sums& sums) {
  const std::size_t d = blocks.d;
  const bool by_column = !weights.columns.empty();
  for (std::size_t i = begin; i < end; ++i) {
    const double row = weights.of_row(i);
    if (row == 0) continue;
    const std::size_t k = codes[i];
    note_member(blocks, i, k, sums);
    const float* columns = by_column ? weights.of_columns(i, d) : nullptr;
    for (std::size_t j = 0; j < d; ++j) {
      const double weight = by_column ? row * columns[j] : row;
      sums.values[k * d + j] += weight * blocks[i][j];
      if (by_column) sums.weights[k * d + j] += weight;
    }
    if (!by_column) sums.weights[k] += row;
  }
}

// Adds those of another range to the first range's, for centroid k.
void combine(BlockSpan blocks, const Sums& from, std::size_t k, Sums& to) {
  if (from.sizes[k] == 0) return;
  const std::size_t d = blocks.d;
  const bool differ = to.sizes[k] > 0 && !equal_blocks(blocks, from.first[k], to.first[k]);
  if (from.divisible[k] || differ) to.divisible[k] = 1;
  if (to.sizes[k] == 0) to.first[k] = from.first[k];
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
                   std::vector<std::size_t>(n_centroids),
                   std::vector<std::size_t>(n_centroids, kNone),
                   std::vector<std::uint8_t>(n_centroids)};
  std::vector<Sums> ranges(n_ranges, empty);
#pragma omp parallel for schedule(dynamic, 1) if (n_ranges > 1)
  for (std::size_t range = 0; range < n_ranges; ++range) {
    const std::size_t begin = blocks.count() * range / n_ranges;
    const std::size_t end = blocks.count() * (range + 1) / n_ranges;
    if (weighted) {
      add_weighted(blocks, codes, weights, begin, end, ranges[range]);
    } else {
      add_plain(blocks, codes, begin, end, ranges[range]);
    }
  }
#pragma omp parallel for if (n_ranges > 1)
  for (std::size_t k = 0; k < n_centroids; ++k) {
    for (std::size_t range = 1; range < n_ranges; ++range)
      combine(blocks, ranges[range], k, ranges[0]);
    move_centroid(ranges[0], k, blocks.d, codebook);
  }
  return {std::move(ranges[0].sizes), std::move(ranges[0].divisible)};
}

}  // namespace pqw
