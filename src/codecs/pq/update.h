// The M-step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/pq/block_span.h"

namespace pqw {

struct Clusters {
  std::vector<std::size_t> sizes;       // blocks per centroid
  std::vector<std::uint8_t> divisible;  // 1: holds two blocks that differ
};

// Moves every centroid to the mean of its blocks, summed in double in the order of the blocks, so
// that the result does not depend on the threads. Centroids without blocks stay where they are.
// Layout: codebook is float[K][d].
Clusters update_centroids(BlockSpan blocks, std::span<const std::uint16_t> codes,
                          std::span<float> codebook);

}  // namespace pqw
