// Computes y = x Wᵀ with integer tables, for many rows of x side by side.
#pragma once

#include "codecs/pq/product/code_tiles.h"
#include "codecs/pq/product/integer_tables.h"
#include "codecs/pq/product/outlier_centroids.h"
#include "pqw/core/matrix.h"

namespace pqw {

class BatchLookupProduct {
 public:
  static constexpr std::size_t kLargestBlock = 64;

  // `tiles` and `outlier_centroids` must outlive the product; outliers are computed without tables.
  // REQUIRES: wide codes, weight.cols() > 0, block_size <= kLargestBlock.
  BatchLookupProduct(const PqWeight& weight, const CodeTiles& tiles,
                     const OutlierCentroids& outlier_centroids,
                     const kernels::LookupKernels& kernels);

  // As LookupProduct::multiply.
  std::vector<std::size_t> multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                    bool parallel) const;

  // The kernel for the next rows of x if n_rows are left.
  const kernels::BatchLookupKernel& kernel(std::size_t n_rows) const {
    return n_rows > few_.rows ? many_ : few_;
  }

 private:
  struct Panel;
  bool quantize(const float* x, std::size_t lane, std::int16_t* row, const Panel& panel) const;
  void multiply_panel(const Panel& panel, std::size_t first, std::size_t first_row, MutableMatrix y,
                      bool parallel) const;

  const CodeTiles& tiles_;
  const OutlierCentroids& outlier_centroids_;
  const kernels::BatchLookupKernel& few_;
  const kernels::BatchLookupKernel& many_;
  std::size_t block_size_;
  std::size_t n_columns_;
  std::size_t n_centroids_;
  IntegerCodebooks codebooks_;
};

}  // namespace pqw
