// The nearest centroid of each block, on any processor. This loop is the specification of the
// others.
#include <algorithm>
#include <bit>

#include "kernels/nearest.h"

namespace pqw::kernels {
namespace {

// The distances of a block to the centroids of a tile, with their biases.
inline void distances_to_tile(const float* block, std::size_t d, const float* tile,
                              const float* biases, float* out) {
  std::copy_n(biases, kCentroidLanes, out);
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t k = 0; k < kCentroidLanes; ++k) {
      const float difference = block[j] - tile[j * kCentroidLanes + k];
      out[k] += difference * difference;
    }
  }
}

}  // namespace

void nearest_portable(const float* blocks, std::size_t n, const CentroidTiles& tiles, float*,
                      std::uint16_t* codes, float* distances) {
  const std::size_t d = tiles.d;
  for (std::size_t i = 0; i < n; ++i) {
    // The bits of floats >= 0 order like integers, which have a vectorised minimum.
    std::int32_t best = std::bit_cast<std::int32_t>(kFarAway * kFarAway);
    std::size_t best_index = 0;
    for (std::size_t t = 0; t < tile_count(tiles.n_centroids); ++t) {
      float distance[kCentroidLanes];
      distances_to_tile(blocks + i * d, d, tiles.centroids + t * d * kCentroidLanes,
                        tiles.biases + t * kCentroidLanes, distance);
      std::int32_t least = std::bit_cast<std::int32_t>(distance[0]);
      for (std::size_t k = 1; k < kCentroidLanes; ++k) {
        least = std::min(least, std::bit_cast<std::int32_t>(distance[k]));
      }
      if (least >= best) continue;
      best = least;
      std::size_t k = 0;
      while (std::bit_cast<std::int32_t>(distance[k]) != least) ++k;
      best_index = t * kCentroidLanes + k;
    }
    codes[i] = static_cast<std::uint16_t>(best_index);
    distances[i] = std::bit_cast<float>(best);
  }
}

}  // namespace pqw::kernels
