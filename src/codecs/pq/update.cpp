// The M-step: each thread owns a range of centroids and scans the blocks in order.
#include "codecs/pq/update.h"

#include <omp.h>

#include <algorithm>

namespace pqw {
namespace {

void update_range(BlockSpan blocks, std::span<const std::uint16_t> codes, std::size_t begin,
                  std::size_t end, std::span<float> codebook, Clusters& clusters) {
  const std::size_t d = blocks.d;
  std::vector<double> sums((end - begin) * d);
  std::vector<std::size_t> first(end - begin);
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    const std::size_t k = codes[i];
    if (k < begin || k >= end) continue;
    const float* block = blocks[i];
    double* sum = sums.data() + (k - begin) * d;
    for (std::size_t j = 0; j < d; ++j) sum[j] += block[j];
    if (clusters.sizes[k]++ == 0) first[k - begin] = i;
    if (!clusters.divisible[k]) {
      clusters.divisible[k] = !std::equal(block, block + d, blocks[first[k - begin]]);
    }
  }
  for (std::size_t k = begin; k < end; ++k) {
    if (clusters.sizes[k] == 0) continue;
    const auto size = static_cast<double>(clusters.sizes[k]);
    for (std::size_t j = 0; j < d; ++j) {
      codebook[k * d + j] = static_cast<float>(sums[(k - begin) * d + j] / size);
    }
  }
}

}  // namespace

Clusters update_centroids(BlockSpan blocks, std::span<const std::uint16_t> codes,
                          std::span<float> codebook) {
  const std::size_t n_centroids = codebook.size() / blocks.d;
  Clusters clusters{std::vector<std::size_t>(n_centroids), std::vector<std::uint8_t>(n_centroids)};
#pragma omp parallel
  {
    const auto n_threads = static_cast<std::size_t>(omp_get_num_threads());
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    update_range(blocks, codes, n_centroids * thread / n_threads,
                 n_centroids * (thread + 1) / n_threads, codebook, clusters);
  }
  return clusters;
}

}  // namespace pqw
