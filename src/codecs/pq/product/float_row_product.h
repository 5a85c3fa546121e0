// Computes y = x Wᵀ from codes with tables of floats, for one row of x.
#pragma once

#include "codecs/pq/product/code_tiles.h"
#include "kernels/product.h"
#include "pqw/core/matrix.h"

namespace pqw {

class FloatRowProduct {
 public:
  // `tiles` must outlive the product. REQUIRES: weight.cols() > 0.
  FloatRowProduct(const PqWeight& weight, const CodeTiles& tiles,
                  const kernels::ProductKernels& product, const kernels::LookupKernels& lookup);

  // Rows first .. first+y.cols()-1 of W. The sums run over the units in order, as those of
  // FloatLookupProduct: they have the same bits. REQUIRES: y has one row.
  void multiply(std::size_t first, const float* x, MutableMatrix y, bool parallel) const;

  // Null for large codes: product.sweep_row takes them, unpacked.
  const kernels::FloatLookupKernel* kernel() const { return kernel_; }

 private:
  void build_position(std::size_t position, const float* x, float* table) const;
  void build_unit(std::size_t unit, const float* x, float* table) const;
  void sweep(TileRuns::Run run, std::size_t first_quad, std::size_t n_quads, const float* tables,
             float* sums) const;
  std::size_t table_floats() const {  // of a unit
    return kernel_ == nullptr ? n_centroids_ : kernels::kWideCentroids;
  }

  const CodeTiles& tiles_;
  const kernels::ProductKernels& product_;
  const kernels::FloatLookupKernel* kernel_;
  std::size_t block_size_;
  std::size_t n_columns_;
  std::size_t n_centroids_;
  std::vector<float> codebooks_;         // [groups][block_size][n_centroids]
  std::vector<const float*> centroids_;  // of each padded position
};

}  // namespace pqw
