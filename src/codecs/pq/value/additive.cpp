// Additive codebooks: blocks that are sums of centroids, one of each codebook.
#include "codecs/pq/value/additive.h"

#include <utility>

namespace pqw {

// Groups m * n_groups .. (m + 1) * n_groups - 1 serve part m of the positions: first_position
// splits n_additive times the positions, in n_additive times as many groups, at the same places.
PqWeight side_by_side(PqWeight weight) {
  weight.shape = {weight.rows(), weight.n_additive * weight.positions() * weight.block_size};
  weight.n_groups *= weight.n_additive;
  weight.n_additive = 1;
  weight.row_scales.clear();
  return weight;
}

}  // namespace pqw
