// The E-step, in parallel over fixed ranges of blocks.
#include "codecs/pq/assign.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/nearest.h"

namespace pqw {
namespace {

constexpr std::size_t kChunk = 1024;  // blocks per partial sum

std::vector<float> transpose(std::span<const float> codebook, std::size_t d) {
  const std::size_t n_centroids = codebook.size() / d;
  std::vector<float> transposed(codebook.size());
  for (std::size_t k = 0; k < n_centroids; ++k) {
    for (std::size_t j = 0; j < d; ++j) transposed[j * n_centroids + k] = codebook[k * d + j];
  }
  return transposed;
}

}  // namespace

double assign(BlockSpan blocks, std::span<const float> codebook, std::span<std::uint16_t> codes) {
  const std::size_t n_centroids = codebook.size() / blocks.d;
  const std::vector<float> centroids = transpose(codebook, blocks.d);
  const std::size_t n_chunks = (blocks.count() + kChunk - 1) / kChunk;
  std::vector<double> partial(n_chunks);
#pragma omp parallel for schedule(dynamic, 8)
  for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) {
    const std::size_t begin = chunk * kChunk;
    const std::size_t n = std::min(kChunk, blocks.count() - begin);
    std::array<float, kChunk> distances;
    kernels::nearest(blocks[begin], n, blocks.d, centroids.data(), n_centroids, n_centroids,
                     codes.data() + begin, distances.data());
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += distances[i];
    partial[chunk] = sum;
  }
  double objective = 0;
  for (const double sum : partial) objective += sum;
  return objective;
}

}  // namespace pqw
