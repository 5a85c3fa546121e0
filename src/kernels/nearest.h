// The nearest centroid of each block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// For each block i < n: codes[i] = the k that minimises Σ_j (blocks[i*d+j] - c[k][j])², ties to the
// lowest k, and distances[i] = that minimum.
// Layout: `centroids` is transposed, float[d][stride], centroid k in column k.
// REQUIRES: 1 <= n_centroids <= stride, n_centroids <= 65536, all values finite.
void nearest(const float* blocks, std::size_t n, std::size_t d, const float* centroids,
             std::size_t n_centroids, std::size_t stride, std::uint16_t* codes, float* distances);

}  // namespace pqw::kernels
