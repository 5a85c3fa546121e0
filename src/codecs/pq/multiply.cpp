// y = x Wᵀ from the codes.
#include <omp.h>

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

// The rows first .. first+n_rows-1 of a weight, laid out for the tables.
class Product {
 public:
  Product(const PqWeight& weight, std::size_t first, std::size_t n_rows)
      : weight_(weight),
        matrix_(matrix_shape(weight.shape)),
        first_(first),
        n_rows_(n_rows),
        n_positions_(weight.positions()),
        transposed_(weight.codebooks.size()),
        centroids_(n_positions_) {
    const std::size_t d = weight.block_size;
    const std::size_t n_centroids = weight.n_centroids;
    const std::size_t codebook_floats = n_centroids * d;
    for (std::size_t i = 0; i < transposed_.size(); ++i) {
      const std::size_t within = i % codebook_floats;
      transposed_[i - within + within % d * n_centroids + within / d] = weight.codebooks[i];
    }
    for (std::size_t g = 0; g < weight.n_groups; ++g) {
      const std::size_t end = first_position(g + 1, weight.n_groups, n_positions_);
      for (std::size_t p = first_position(g, weight.n_groups, n_positions_); p < end; ++p) {
        centroids_[p] = transposed_.data() + g * codebook_floats;
      }
    }
  }

  std::size_t n_positions() const { return n_positions_; }
  std::size_t n_tiles() const { return (n_rows_ + kRowTile - 1) / kRowTile; }
  std::size_t positions_at_once() const {
    return std::max<std::size_t>(1, kTableFloats / weight_.n_centroids);
  }
  std::size_t table_floats() const {
    return std::min(positions_at_once(), n_positions_) * weight_.n_centroids;
  }
  std::size_t work() const {
    return n_positions_ * (weight_.n_centroids * weight_.block_size + n_rows_);
  }

  void build_table(std::size_t p, const float* x, float* table) const {
    const std::size_t d = weight_.block_size;
    kernels::build_table(x + p * d, std::min(d, matrix_.cols - p * d), centroids_[p],
                         weight_.n_centroids, table);
  }

  void clear(std::size_t tile, float* y) const {
    std::fill_n(y + tile * kRowTile, tile_rows(tile), 0.0f);
  }

  // Adds the entries of the tables of positions p0 .. p1-1 to a tile of y.
  void add(std::size_t tile, std::size_t p0, std::size_t p1, const float* tables, float* y) const {
    const std::size_t begin = tile * kRowTile;
    for (std::size_t p = p0; p < p1; ++p) {
      kernels::add_lookups(tables + (p - p0) * weight_.n_centroids,
                           weight_.codes.data() + p * matrix_.rows + first_ + begin,
                           tile_rows(tile), y + begin);
    }
  }

 private:
  std::size_t tile_rows(std::size_t tile) const {
    return std::min(kRowTile, n_rows_ - tile * kRowTile);
  }

  const PqWeight& weight_;
  MatrixShape matrix_;
  std::size_t first_;
  std::size_t n_rows_;
  std::size_t n_positions_;
  std::vector<float> transposed_;        // [n_groups][block_size][n_centroids]
  std::vector<const float*> centroids_;  // of each position
};

// One row of x, by one thread.
void multiply_alone(const Product& product, const float* x, float* y, std::vector<float>& tables,
                    std::size_t n_centroids) {
  for (std::size_t tile = 0; tile < product.n_tiles(); ++tile) product.clear(tile, y);
  for (std::size_t p0 = 0; p0 < product.n_positions(); p0 += product.positions_at_once()) {
    const std::size_t p1 = std::min(product.n_positions(), p0 + product.positions_at_once());
    for (std::size_t p = p0; p < p1; ++p) {
      product.build_table(p, x, tables.data() + (p - p0) * n_centroids);
    }
    for (std::size_t tile = 0; tile < product.n_tiles(); ++tile) {
      product.add(tile, p0, p1, tables.data(), y);
    }
  }
}

// One row of x, by all threads of the enclosing parallel region.
void multiply_together(const Product& product, const float* x, float* y, std::vector<float>& tables,
                       std::size_t n_centroids) {
#pragma omp for
  for (std::size_t tile = 0; tile < product.n_tiles(); ++tile) product.clear(tile, y);
  for (std::size_t p0 = 0; p0 < product.n_positions(); p0 += product.positions_at_once()) {
    const std::size_t p1 = std::min(product.n_positions(), p0 + product.positions_at_once());
#pragma omp for
    for (std::size_t p = p0; p < p1; ++p) {
      product.build_table(p, x, tables.data() + (p - p0) * n_centroids);
    }
#pragma omp for
    for (std::size_t tile = 0; tile < product.n_tiles(); ++tile) {
      product.add(tile, p0, p1, tables.data(), y);
    }
  }
}

}  // namespace

void multiply(const PqWeight& weight, ConstMatrix x, MutableMatrix y) {
  multiply_rows(weight, 0, x, y);
}

void multiply_rows(const PqWeight& weight, std::size_t first, ConstMatrix x, MutableMatrix y) {
  assert(x.cols() == weight.cols() && x.rows() == y.rows());
  assert(first + y.cols() <= weight.rows());
  const Product product(weight, first, y.cols());
  const bool parallel = x.rows() * product.work() >= kParallelWork;
  const auto n_threads = static_cast<std::size_t>(omp_get_max_threads());
  if (parallel && x.rows() < n_threads) {
    std::vector<float> tables(product.table_floats());
#pragma omp parallel
    for (std::size_t b = 0; b < x.rows(); ++b) {
      multiply_together(product, x.row(b).data(), y.row(b).data(), tables, weight.n_centroids);
    }
    return;
  }
#pragma omp parallel if (parallel)
  {
    std::vector<float> tables(product.table_floats());
#pragma omp for
    for (std::size_t b = 0; b < x.rows(); ++b) {
      multiply_alone(product, x.row(b).data(), y.row(b).data(), tables, weight.n_centroids);
    }
  }
}

}  // namespace pqw
