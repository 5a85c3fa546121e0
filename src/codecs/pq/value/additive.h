// Additive codebooks: blocks that are sums of centroids, one of each codebook.
#pragma once

#include "pqw/codecs/pq.h"

namespace pqw {

// The same codes and codebooks as a weight with one code a position: its rows hold the centroids of
// codebook 0 for all positions, then those of codebook 1, ... As a matrix it has
// n_additive * positions * block_size columns; these parts of a row, added in order, without the
// padding, are the row of `weight` before its row scale. REQUIRES: n_additive > 1.
PqWeight side_by_side(PqWeight weight);

}  // namespace pqw
