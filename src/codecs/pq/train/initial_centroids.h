// Chooses the blocks that EM starts from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codecs/pq/train/block_span.h"

namespace pqw {

// Both functions return the indices of n distinct blocks.
// REQUIRES: there are that many distinct blocks.

// Drawn uniformly.
std::vector<std::size_t> random_blocks(BlockSpan blocks, std::size_t n, std::uint64_t seed);

// Greedy k-means++ (D. Arthur, S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding",
// SODA 2007): each next block is drawn with a probability proportional to its squared distance from
// the chosen ones; of several such candidates the one that lowers the sum of these distances most
// is taken. Distances are weighted. Works on a random subsample of kSamplePerCentroid blocks per
// centroid.
inline constexpr std::size_t kSamplePerCentroid = 32;
inline constexpr std::size_t kMostForPlusPlus = 4096;  // more centroids take too long
std::vector<std::size_t> plus_plus_blocks(BlockSpan blocks, std::size_t n, std::uint64_t seed,
                                          const BlockWeights& weights = {});

}  // namespace pqw
