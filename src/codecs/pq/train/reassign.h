// New centroids for empty clusters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "codecs/pq/train/block_span.h"
#include "codecs/pq/train/update.h"

namespace pqw {

// Gives every empty cluster half of the most populated cluster that can be divided (ties to the
// lowest index): the two centroids become c + e and c - e, where |e_j| is kSplitEpsilon times
// (|c_j| + spread), so that the split moves them apart at any scale of the weights. The sizes are
// updated as if the blocks had followed half and half. Returns how many clusters were given one;
// fewer than were empty when no cluster can be divided any more.
// Layout: codebook is float[K][d]. `spread` is the root mean square of x_j - c_j over all blocks.
inline constexpr float kSplitEpsilon = 1.0f / 1024;
std::size_t split_into_empty_clusters(Clusters& clusters, std::size_t d, float spread,
                                      std::span<float> codebook);

// Gives every empty cluster the block that is farthest from the centroid it was assigned to
// (weighted distances; ties to the lowest index; blocks that a centroid meets exactly are not
// taken). Returns how many clusters were given one. Sizes are left as they are.
std::size_t move_empty_clusters_to_farthest(const Clusters& clusters, BlockSpan blocks,
                                            std::span<const std::uint16_t> codes,
                                            const BlockWeights& weights, std::span<float> codebook);

}  // namespace pqw
