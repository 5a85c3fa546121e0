// Moving centroids out of local optima.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "codecs/pq/train/block_span.h"

namespace pqw {

// Takes centroids from where they help little to where they help more, in the manner of G. Patanè
// and M. Russo, "The enhanced LBG algorithm" (Neural Networks 14, 2001): a centroid whose blocks
// could join its nearest neighbour's at small cost is given to a cluster that gains more from being
// split along its widest axis. Cost and gain are estimates: joining clusters of masses a and b at
// distance D costs ab/(a+b) D²; splitting a normal cluster gains 2/π of its scatter along the axis.
// Only moves that look clearly worth it are made, each cluster takes part in one at most. Returns
// how many were made.
// Layout: codebook is float[K][d], about the means of the clusters.
// REQUIRES: no column weights; 2 <= K <= kMostForRelocation (all pairs of centroids are compared).
inline constexpr std::size_t kMostForRelocation = 4096;
std::size_t relocate_centroids(BlockSpan blocks, std::span<const std::uint16_t> codes,
                               const BlockWeights& weights, std::span<float> codebook);

}  // namespace pqw
