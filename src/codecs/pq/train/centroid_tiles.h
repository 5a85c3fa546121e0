// Lays a codebook out for the kernels.
#pragma once

#include <span>
#include <vector>

#include "kernels/nearest.h"

namespace pqw {

// Owns the arrays of a kernels::CentroidTiles.
class TiledCodebook {
 public:
  // Layout: codebook is float[K][d], shift float[d]; biases float[K], or empty: all 0.
  TiledCodebook(std::span<const float> codebook, std::span<const float> shift,
                std::span<const float> biases = {});

  // Replaces the biases. Layout: float[K], or empty: all 0.
  void set_biases(std::span<const float> biases);

  kernels::CentroidTiles view() const;

 private:
  std::size_t d_;
  std::size_t n_centroids_;
  std::vector<float> centroids_;
  std::vector<float> shifted_;
  std::vector<double> norms_;  // [K]: squared norms of the shifted centroids
  std::vector<float> half_norms_;
  std::vector<float> biases_;
  std::vector<float> shift_;
};

}  // namespace pqw
