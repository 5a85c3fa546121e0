// Computes y = x Wᵀ with integer tables, for one row of x at a time.
#pragma once

#include <algorithm>

#include "codecs/pq/product/code_tiles.h"
#include "codecs/pq/product/integer_tables.h"
#include "codecs/pq/product/outlier_centroids.h"
#include "pqw/core/matrix.h"

namespace pqw {

class LookupProduct {
 public:
  // The longest centroids, up to that share of the codes, are left out of the tables and computed
  // with floats. `tiles` must outlive the product. REQUIRES: no large codes, weight.cols() > 0.
  LookupProduct(const PqWeight& weight, const CodeTiles& tiles, bool high, double outlier_share,
                const kernels::LookupKernels& kernels);

  // Rows first .. first+y.cols()-1 of W. Returns the rows of x that have no integer tables; their
  // y is not written.
  std::vector<std::size_t> multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                    bool parallel) const;

  const kernels::LookupKernel& kernel() const { return kernel_; }
  const OutlierCentroids& outlier_centroids() const { return outlier_centroids_; }

 private:
  struct Batch;
  bool prepare(const float* x, std::int16_t* integers, double* factors) const;
  void build(const Batch& batch, std::size_t row, std::size_t group, std::uint16_t* words) const;
  void sweep(const Batch& batch, std::size_t first_tile, std::size_t n_tiles, std::size_t group,
             std::uint8_t* scratch) const;
  void multiply_batch(const Batch& batch, std::size_t first, MutableMatrix y) const;

  std::size_t group_quads(std::size_t group) const {
    return std::min(kernels::kScaleQuads, tiles_.n_quads() - group * kernels::kScaleQuads);
  }
  std::size_t group_table_bytes() const { return kernels::kScaleQuads * kernel_.quad_table_bytes; }
  std::size_t row_integers() const {
    return tiles_.n_padded_positions() * 2 * codebooks_.n_pairs();
  }

  const CodeTiles& tiles_;
  const kernels::LookupKernel& kernel_;
  std::size_t block_size_;
  std::size_t n_columns_;
  std::size_t n_entries_;
  OutlierCentroids outlier_centroids_;
  IntegerCodebooks codebooks_;
};

}  // namespace pqw
