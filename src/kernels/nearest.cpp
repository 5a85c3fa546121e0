// The nearest centroid of each block, portable.
#include "kernels/nearest.h"

#include <algorithm>
#include <bit>

namespace pqw::kernels {
namespace {

constexpr std::size_t kTile = 256;  // centroids at a time: their distances stay in the L1 cache

struct Nearest {
  std::int32_t distance_bits;  // of a float >= 0, which orders like an integer
  std::size_t index;
};

Nearest nearest_of_tile(const float* block, std::size_t d, const float* centroids,
                        std::size_t n_centroids, std::size_t stride) {
  float distance[kTile] = {};
  for (std::size_t j = 0; j < d; ++j) {
    const float* row = centroids + j * stride;
    const float x = block[j];
    for (std::size_t k = 0; k < n_centroids; ++k) {
      const float difference = x - row[k];
      distance[k] += difference * difference;
    }
  }
  // Integers have a vectorised minimum under strict floating-point rules.
  std::int32_t best = std::bit_cast<std::int32_t>(distance[0]);
  for (std::size_t k = 1; k < n_centroids; ++k) {
    best = std::min(best, std::bit_cast<std::int32_t>(distance[k]));
  }
  std::size_t index = 0;
  while (std::bit_cast<std::int32_t>(distance[index]) != best) ++index;
  return {best, index};
}

}  // namespace

void nearest(const float* blocks, std::size_t n, std::size_t d, const float* centroids,
             std::size_t n_centroids, std::size_t stride, std::uint16_t* codes, float* distances) {
  for (std::size_t i = 0; i < n; ++i) {
    Nearest best =
        nearest_of_tile(blocks + i * d, d, centroids, std::min(kTile, n_centroids), stride);
    for (std::size_t first = kTile; first < n_centroids; first += kTile) {
      Nearest tile = nearest_of_tile(blocks + i * d, d, centroids + first,
                                     std::min(kTile, n_centroids - first), stride);
      if (tile.distance_bits < best.distance_bits) best = {tile.distance_bits, first + tile.index};
    }
    codes[i] = static_cast<std::uint16_t>(best.index);
    distances[i] = std::bit_cast<float>(best.distance_bits);
  }
}

}  // namespace pqw::kernels
