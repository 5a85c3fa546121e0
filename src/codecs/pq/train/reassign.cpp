// New centroids for empty clusters: halves of populated ones, or far blocks.
#include "codecs/pq/train/reassign.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <vector>

namespace pqw {
namespace {

struct Donor {
  std::size_t size;
  std::size_t index;
  // The priority queue hands out the largest, and of equals the one with the lowest index.
  bool operator<(const Donor& other) const {
    return size != other.size ? size < other.size : index > other.index;
  }
};

void split(const float* from, std::size_t d, float spread, float* plus, float* minus) {
  for (std::size_t j = 0; j < d; ++j) {
    const float centre = from[j];
    const float step = kSplitEpsilon * (std::abs(centre) + spread) * (j % 2 == 0 ? 1.0f : -1.0f);
    plus[j] = centre + step;
    minus[j] = centre - step;
  }
}

}  // namespace

std::size_t split_into_empty_clusters(Clusters& clusters, std::size_t d, float spread,
                                      std::span<float> codebook) {
  if (clusters.divisible.empty()) return 0;
  std::priority_queue<Donor> donors;
  for (std::size_t k = 0; k < clusters.sizes.size(); ++k) {
    if (clusters.divisible[k]) donors.push({clusters.sizes[k], k});
  }
  std::size_t n_reassigned = 0;
  for (std::size_t k = 0; k < clusters.sizes.size(); ++k) {
    if (clusters.sizes[k] > 0) continue;
    if (donors.empty() || donors.top().size < 2) break;
    const Donor donor = donors.top();
    donors.pop();
    float* from = codebook.data() + donor.index * d;
    split(from, d, spread, codebook.data() + k * d, from);
    clusters.sizes[k] = donor.size / 2;
    clusters.sizes[donor.index] = donor.size - donor.size / 2;
    donors.push({clusters.sizes[k], k});
    donors.push({clusters.sizes[donor.index], donor.index});
    ++n_reassigned;
  }
  return n_reassigned;
}

std::size_t move_empty_clusters_to_farthest(const Clusters& clusters, BlockSpan blocks,
                                            std::span<const std::uint16_t> codes,
                                            const BlockWeights& weights,
                                            std::span<float> codebook) {
  std::vector<std::size_t> empty;
  for (std::size_t k = 0; k < clusters.sizes.size(); ++k) {
    if (clusters.sizes[k] == 0) empty.push_back(k);
  }
  if (empty.empty()) return 0;
  const std::size_t d = blocks.d;
  // The nearest of the chosen blocks is on top, to give way to a farther one.
  struct Far {
    double distance;
    std::size_t index;
    bool operator<(const Far& other) const {
      return distance != other.distance ? distance > other.distance : index < other.index;
    }
  };
  std::priority_queue<Far> farthest;
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    double distance = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const double difference = static_cast<double>(blocks[i][j]) - codebook[codes[i] * d + j];
      const double weight = weights.columns.empty() ? 1 : weights.of_columns(i, d)[j];
      distance += weight * difference * difference;
    }
    distance *= weights.of_row(i);
    if (distance <= 0) continue;
    if (farthest.size() == empty.size()) {
      if (distance <= farthest.top().distance) continue;
      farthest.pop();
    }
    farthest.push({distance, i});
  }
  const std::size_t n_moved = farthest.size();
  for (std::size_t e = 0; e < n_moved; ++e, farthest.pop()) {
    std::copy_n(blocks[farthest.top().index], d, codebook.data() + empty[e] * d);
  }
  return n_moved;
}

}  // namespace pqw
