// The M-step: moves each centroid to the mean of its blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/pq/train/block_span.h"

namespace pqw {

struct Clusters {
  std::vector<std::size_t> sizes;  // blocks of positive weight per centroid
  // 1: holds two different blocks of positive weight. Not computed, and empty, if no cluster is
  // empty.
  std::vector<std::uint8_t> divisible;
};

// Moves every centroid to the (weighted) mean of its blocks, summed in double over ranges of blocks
// that do not depend on the threads, combined in order. Coordinates on which no weight falls stay
// where they are. Layout: codebook is float[K][d].
Clusters update_centroids(BlockSpan blocks, std::span<const std::uint16_t> codes,
                          std::span<float> codebook, const BlockWeights& weights = {});

}  // namespace pqw
