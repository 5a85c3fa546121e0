// Additive codebooks: blocks that are sums of centroids, one of each codebook.
#include "codecs/pq/value/additive.h"

#include <utility>

namespace pqw {

// Part m of the groups serves part m of the positions: first_position of the products is the
// product of first_position.
PqWeight side_by_side(PqWeight weight) {
  weight.shape = {weight.rows(), weight.n_additive * weight.positions() * weight.block_size};
  weight.n_groups *= weight.n_additive;
  weight.n_additive = 1;
  weight.row_scales.clear();
  return weight;
}

}  // namespace pqw
