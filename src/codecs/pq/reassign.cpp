// New centroids for empty clusters: splitting of populated ones.
#include "codecs/pq/reassign.h"

#include <cmath>
#include <queue>

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

std::size_t reassign_empty_clusters(Clusters& clusters, std::size_t d, float spread,
                                    std::span<float> codebook) {
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

}  // namespace pqw
