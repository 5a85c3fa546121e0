// Groups of positions: their blocks, and how many of them pay.
#include "codecs/pq/train/groups.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/em.h"

namespace pqw {
namespace {

// Every `step`-th row of the blocks of a group.
struct Rows {
  std::vector<float> values;   // [positions][rows][d]
  std::vector<float> weights;  // [rows], or empty
};

Rows sampled_rows(BlockSpan blocks, std::size_t n_rows, std::span<const float> row_scales,
                  std::size_t step) {
  Rows sample;
  for (std::size_t first = 0; first < blocks.count(); first += n_rows) {
    for (std::size_t row = 0; row < n_rows; row += step) {
      const float* block = blocks[first + row];
      sample.values.insert(sample.values.end(), block, block + blocks.d);
    }
  }
  for (std::size_t row = 0; row < row_scales.size(); row += step) {
    sample.weights.push_back(row_scales[row] * row_scales[row]);
  }
  return sample;
}

// The approximate mean squared error of the weight with n_groups groups.
double probed_error(const Blocks& blocks, std::span<const float> row_scales,
                    const PqOptions& options, std::size_t n_groups) {
  constexpr std::size_t kBlocksPerCentroid = 256;
  const std::size_t step = std::max<std::size_t>(
      1, blocks.count() / (kBlocksPerCentroid * options.n_centroids * n_groups));
  double error = 0;
  std::size_t n_blocks = 0;
  for (std::size_t group = 0; group < n_groups; ++group) {
    const Rows sample = sampled_rows(group_blocks(blocks, group, n_groups),
                                     matrix_shape(blocks.shape).rows, row_scales, step);
    const BlockSpan span{sample.values, blocks.block_size};
    const std::size_t n_rows = (matrix_shape(blocks.shape).rows + step - 1) / step;
    const BlockWeights weights{n_rows, sample.weights, {}};
    PqOptions group_options = options;
    group_options.seed += group;
    std::vector<std::uint16_t> codes(span.count());
    const auto codebook =
        train_codebook(span, weights, group_options, codes, [](const EmIteration&) {});
    error += assign(span, codebook, codes, weights);
    n_blocks += span.count();
  }
  return error / static_cast<double>(n_blocks);
}

}  // namespace

std::size_t positions_of(const Blocks& blocks) {
  return (matrix_shape(blocks.shape).cols + blocks.block_size - 1) / blocks.block_size;
}

BlockSpan group_blocks(const Blocks& blocks, std::size_t group, std::size_t n_groups) {
  const std::size_t positions = positions_of(blocks);
  const std::size_t position_floats = matrix_shape(blocks.shape).rows * blocks.block_size;
  const std::size_t begin = first_position(group, n_groups, positions) * position_floats;
  const std::size_t end = first_position(group + 1, n_groups, positions) * position_floats;
  return {std::span(blocks.values).subspan(begin, end - begin), blocks.block_size};
}

std::size_t choose_groups(const Blocks& blocks, std::span<const float> row_scales,
                          const PqOptions& options) {
  constexpr std::size_t kIterations = 8;
  constexpr std::size_t kStop = 4;  // times the best: two numbers in a row were no better
  PqOptions little = options;
  little.restarts = 1;
  little.iterations = std::min(options.iterations, kIterations);
  little.explore = 0;
  const double codebook_bits = static_cast<double>(8 * options.n_centroids * options.block_size *
                                                   size_in_bytes(options.codebook_dtype));
  const auto n_weights = static_cast<double>(element_count(blocks.shape));
  std::size_t best = 1;
  double least = HUGE_VAL;
  for (std::size_t n = 1; n <= std::min(positions_of(blocks), kStop * best); n *= 2) {
    if (2 * n * options.n_centroids > blocks.count()) break;
    const double bits = static_cast<double>(n) * codebook_bits / n_weights;
    const double score = probed_error(blocks, row_scales, little, n) * std::pow(4, bits);
    if (score >= least) continue;
    least = score;
    best = n;
  }
  return best;
}

}  // namespace pqw
