// A codebook in the layout of the kernels: in tiles, shifted, with its norms.
#include "codecs/pq/train/centroid_tiles.h"

namespace pqw {

using kernels::kCentroidLanes;

TiledCodebook::TiledCodebook(std::span<const float> codebook, std::span<const float> shift,
                             std::span<const float> biases)
    : d_(shift.size()),
      n_centroids_(codebook.size() / d_),
      centroids_(kernels::tile_count(n_centroids_) * d_ * kCentroidLanes, kernels::kFarAway),
      shifted_(centroids_.size()),
      norms_(n_centroids_),
      half_norms_(kernels::tile_count(n_centroids_) * kCentroidLanes, kernels::kFarAway),
      biases_(half_norms_.size()),
      shift_(shift.begin(), shift.end()) {
  for (std::size_t k = 0; k < n_centroids_; ++k) {
    for (std::size_t j = 0; j < d_; ++j) {
      const std::size_t at = (k / kCentroidLanes * d_ + j) * kCentroidLanes + k % kCentroidLanes;
      centroids_[at] = codebook[k * d_ + j];
      shifted_[at] = codebook[k * d_ + j] - shift[j];
      norms_[k] += static_cast<double>(shifted_[at]) * shifted_[at];
    }
  }
  set_biases(biases);
}

void TiledCodebook::set_biases(std::span<const float> biases) {
  for (std::size_t k = 0; k < n_centroids_; ++k) {
    biases_[k] = biases.empty() ? 0 : biases[k];
    half_norms_[k] = static_cast<float>((norms_[k] + biases_[k]) / 2);
  }
}

kernels::CentroidTiles TiledCodebook::view() const {
  return {d_,
          n_centroids_,
          centroids_.data(),
          shifted_.data(),
          half_norms_.data(),
          biases_.data(),
          shift_.data()};
}

}  // namespace pqw
