// The E-step, in parallel over fixed ranges of blocks.
#include "codecs/pq/train/assign.h"

#include <array>
#include <cassert>
#include <cmath>
#include <vector>

#include "codecs/active_kernels.h"
#include "codecs/pq/train/centroid_tiles.h"
#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kChunk = 1024;  // blocks per partial sum

// The mean of the centroids: near it, scores lose little to cancellation.
std::vector<float> mean_of(std::span<const float> codebook, std::size_t d) {
  std::vector<double> sums(d);
  for (std::size_t i = 0; i < codebook.size(); ++i) sums[i % d] += codebook[i];
  std::vector<float> mean(d);
  for (std::size_t j = 0; j < d; ++j) {
    mean[j] = static_cast<float>(sums[j] / static_cast<double>(codebook.size() / d));
  }
  return mean;
}

// Of the blocks from `first` on. row_weights[i % size] is the weight of block i; empty: all are 1.
double weighted_sum(std::span<const float> distances, std::size_t first,
                    std::span<const float> row_weights) {
  double sum = 0;
  if (row_weights.empty()) {
    for (const double distance : distances) sum += distance;
    return sum;
  }
  std::size_t row = first % row_weights.size();
  for (const double distance : distances) {
    sum += distance * row_weights[row];
    if (++row == row_weights.size()) row = 0;
  }
  return sum;
}

double assign_unscaled(BlockSpan blocks, std::span<const float> codebook,
                       std::span<std::uint16_t> codes, std::span<const float> row_weights,
                       std::span<const float> biases) {
  const kernels::Table& table = active_kernels();
  const TiledCodebook tiled(codebook, mean_of(codebook, blocks.d), biases);
  const kernels::CentroidTiles tiles = tiled.view();
  const std::size_t scratch_floats = kernels::nearest_scratch_floats(blocks.d);
  const Workers workers(blocks.count() * codebook.size(), 1);
  std::vector<float> scratch(workers.count() * scratch_floats);
  return workers.reduce_in_order(
      Division::by_length(blocks.count(), kChunk), 0.0,
      [&](const IndexRange& range, std::size_t worker, double& sum) {
        const std::size_t n = range.end - range.begin;
        std::array<float, kChunk> distances;
        table.nearest(blocks[range.begin], n, tiles, scratch.data() + worker * scratch_floats,
                      codes.data() + range.begin, distances.data());
        sum = weighted_sum({distances.data(), n}, range.begin, row_weights);
      },
      [](double& objective, double sum) { objective += sum; });
}

// The columns of a position share their weights h, and Σ h (x-c)² = Σ (√h x - √h c)²: scaling the
// blocks of the position and the codebook by √h makes the weights disappear.
double assign_by_position(BlockSpan blocks, std::span<const float> codebook,
                          std::span<std::uint16_t> codes, const BlockWeights& weights,
                          std::span<const float> biases) {
  const std::size_t d = blocks.d;
  std::vector<float> scaled_codebook(codebook.size());
  std::vector<float> scaled_blocks(weights.n_rows * d);
  double objective = 0;
  for (std::size_t first = 0; first < blocks.count(); first += weights.n_rows) {
    const float* columns = weights.of_columns(first, d);
    std::vector<float> roots(d);
    for (std::size_t j = 0; j < d; ++j) roots[j] = std::sqrt(columns[j]);
    for (std::size_t i = 0; i < codebook.size(); ++i)
      scaled_codebook[i] = roots[i % d] * codebook[i];
    for (std::size_t i = 0; i < scaled_blocks.size(); ++i) {
      scaled_blocks[i] = roots[i % d] * blocks[first][i];
    }
    objective += assign_unscaled({scaled_blocks, d}, scaled_codebook,
                                 codes.subspan(first, weights.n_rows), weights.rows, biases);
  }
  return objective;
}

}  // namespace

double assign(BlockSpan blocks, std::span<const float> codebook, std::span<std::uint16_t> codes,
              const BlockWeights& weights, std::span<const float> biases) {
  assert(biases.empty() || weights.rows.empty());
  return weights.columns.empty() ? assign_unscaled(blocks, codebook, codes, weights.rows, biases)
                                 : assign_by_position(blocks, codebook, codes, weights, biases);
}

}  // namespace pqw
