// y = x Wᵀ from the codes.
#include <algorithm>
#include <cassert>
#include <vector>

#include "kernels/lookup.h"
#include "pqw/codecs/pq.h"

namespace pqw {
namespace {

constexpr std::size_t kTableFloats = 1 << 16;   // tables at a time: 256 KiB, for the L2 cache
constexpr std::size_t kRowTile = 1024;          // output rows at a time: their sums stay in L1
constexpr std::size_t kParallelWork = 1 << 18;  // multiplications and lookups that pay for threads

}  // namespace

void multiply(const PqWeight& weight, ConstMatrix x, MutableMatrix y) {
  multiply_rows(weight, 0, x, y);
}

void multiply_rows(const PqWeight& weight, std::size_t first, ConstMatrix x, MutableMatrix y) {
  const MatrixShape matrix = matrix_shape(weight.shape);
  assert(x.cols() == matrix.cols && x.rows() == y.rows() && first + y.cols() <= matrix.rows);
  const std::size_t d = weight.block_size;
  const std::size_t n_centroids = weight.n_centroids;
  const std::size_t n_positions = weight.positions();
  const std::size_t chunk = std::max<std::size_t>(1, kTableFloats / n_centroids);
  const std::size_t n_tiles = (y.cols() + kRowTile - 1) / kRowTile;
  std::vector<const float*> codebooks(n_positions);
  for (std::size_t p = 0; p < n_positions; ++p) codebooks[p] = weight.codebook_of(p);
  std::vector<float> tables(std::min(chunk, n_positions) * n_centroids);  // [position][n_centroids]

  const std::size_t work = x.rows() * n_positions * (n_centroids * d + y.cols());
#pragma omp parallel if (work >= kParallelWork)
  for (std::size_t b = 0; b < x.rows(); ++b) {
#pragma omp for
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::size_t begin = tile * kRowTile;
      std::fill_n(&y(b, begin), std::min(kRowTile, y.cols() - begin), 0.0f);
    }
    for (std::size_t p0 = 0; p0 < n_positions; p0 += chunk) {
      const std::size_t p1 = std::min(n_positions, p0 + chunk);
#pragma omp for
      for (std::size_t p = p0; p < p1; ++p) {
        kernels::build_table(&x(b, p * d), std::min(d, matrix.cols - p * d), codebooks[p],
                             n_centroids, d, tables.data() + (p - p0) * n_centroids);
      }
#pragma omp for
      for (std::size_t tile = 0; tile < n_tiles; ++tile) {
        const std::size_t begin = tile * kRowTile;
        const std::size_t n = std::min(kRowTile, y.cols() - begin);
        for (std::size_t p = p0; p < p1; ++p) {
          kernels::add_lookups(tables.data() + (p - p0) * n_centroids,
                               weight.codes.data() + p * matrix.rows + first + begin, n,
                               &y(b, begin));
        }
      }
    }
  }
}

}  // namespace pqw
