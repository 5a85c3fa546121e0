// Exploring on a part of the blocks.
#include "codecs/pq/train/sample.h"

#include "codecs/pq/train/distinct.h"
#include "codecs/train/random.h"

namespace pqw {
namespace {

void append(BlockSpan blocks, const BlockWeights& weights, std::size_t i, Sample& sample) {
  sample.values.insert(sample.values.end(), blocks[i], blocks[i] + blocks.d);
  if (!weights.rows.empty()) sample.weights.push_back(weights.of_row(i));
}

}  // namespace

std::size_t sample_size(std::size_t n_blocks, const PqOptions& options) {
  const std::size_t size = options.explore * options.n_centroids;
  const bool explores = options.engine == Engine::kNative && options.init == Init::kPlusPlus;
  // Below twice as many there is little to save.
  return explores && size > 0 && size <= n_blocks / 2 ? size : n_blocks;
}

Sample sample_blocks(BlockSpan blocks, const PqOptions& options, std::uint64_t seed,
                     const BlockWeights& weights) {
  const std::size_t n = blocks.count();
  const std::size_t size = sample_size(n, options);
  Random random(seed);
  Sample sample;
  sample.values.reserve(size * blocks.d);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t begin = n / size * i + n % size * i / size;
    const std::size_t end = n / size * (i + 1) + n % size * (i + 1) / size;
    append(blocks, weights, begin + below(end - begin, random), sample);
  }
  const std::size_t needed = options.n_centroids + 1;
  if (distinct_blocks({sample.values, blocks.d}, needed).size() < needed) {
    for (const std::size_t i : distinct_blocks(blocks, needed)) append(blocks, weights, i, sample);
  }
  return sample;
}

}  // namespace pqw
