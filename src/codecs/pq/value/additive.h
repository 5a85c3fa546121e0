// Additive codebooks: blocks that are sums of centroids, one of each codebook.
#pragma once

#include "pqw/codecs/pq.h"

namespace pqw {

// The same codes and codebooks as a weight with one code a position. A row holds the centroids of
// codebook 0 for all positions, then those of codebook 1, ...: n_additive parts of positions *
// block_size columns. The sum of these parts, added in order and without the padding, is the row of
// `weight` before its row scale.
PqWeight side_by_side(PqWeight weight);

}  // namespace pqw
