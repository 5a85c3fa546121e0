// The nearest centroid of each block: the inner loop of the E-step.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// Centroids that stand side by side: a tile of a codebook.
inline constexpr std::size_t kCentroidLanes = 16;

inline constexpr std::size_t tile_count(std::size_t n_centroids) {
  return (n_centroids + kCentroidLanes - 1) / kCentroidLanes;
}

// A codebook laid out for `nearest`. Centroid k is column k % kCentroidLanes of tile k /
// kCentroidLanes.
struct CentroidTiles {
  std::size_t d;
  std::size_t n_centroids;  // 1..65536
  // Layout: float[tile_count][d][kCentroidLanes]. The columns after the last centroid hold
  // kFarAway.
  const float* centroids;
  // The same with `shift` subtracted; the columns after the last centroid hold 0.
  const float* shifted;
  // Layout: float[tile_count][kCentroidLanes]: (n + b) / 2, with the squared norm n of the shifted
  // centroid and its bias b; kFarAway after the last.
  const float* half_norms;
  // Layout: float[tile_count][kCentroidLanes]: the biases of the centroids, added to squared
  // distances: 0 or more, below 1e15; 0 after the last.
  const float* biases;
  // float[d], subtracted from the blocks before norms and products are taken. It changes no
  // distance, but the closer it is to the mean of the blocks the fewer need a second look.
  const float* shift;
};

inline constexpr float kFarAway = 1e18f;

// For each block i < n: codes[i] = the k whose biases[k] + Σ_j (blocks[i*d+j] - c[k][j])², as
// computed in float, is smallest, ties to the lowest k, and distances[i] = that sum. `scratch` is
// float[nearest_scratch_floats(d)]. REQUIRES: all values are finite, below 1e15 in magnitude.
using NearestFunction = void(const float* blocks, std::size_t n, const CentroidTiles& tiles,
                             float* scratch, std::uint16_t* codes, float* distances);

// Blocks that the vector kernels work on at a time.
inline constexpr std::size_t kBlocksAtOnce = 32;

// With room to align them.
inline constexpr std::size_t nearest_scratch_floats(std::size_t d) {
  return d * kBlocksAtOnce + 16;
}

NearestFunction nearest_portable;
NearestFunction nearest_avx2;
NearestFunction nearest_avx512;
NearestFunction nearest_neon;

}  // namespace pqw::kernels
