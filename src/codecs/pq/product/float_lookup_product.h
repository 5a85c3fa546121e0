// Computes y = x Wᵀ from codes with tables of floats, for many rows of x side by side, or one at a
// time if this is faster.
#pragma once

#include "codecs/pq/product/cost_model.h"
#include "codecs/pq/product/float_row_product.h"

namespace pqw {

class FloatLookupProduct {
 public:
  // `tiles` must outlive the product. REQUIRES: weight.cols() > 0.
  FloatLookupProduct(const PqWeight& weight, const CodeTiles& tiles,
                     const kernels::ProductKernels& kernels,
                     const kernels::LookupKernels& row_kernels);

  // Rows first .. first+y.cols()-1 of W.
  void multiply(std::size_t first, ConstMatrix x, MutableMatrix y, bool parallel) const;

  double cycles(const ProductSize& size) const {
    return float_lookup_cycles(size, kernels_, row_product_.kernel());
  }

 private:
  void build_position(std::size_t position, const float* x, float* table) const;
  void build_unit(std::size_t unit, const float* x, float* table, float* halves) const;
  void multiply_lanes(std::size_t first, ConstMatrix x, std::size_t first_row, std::size_t n_rows,
                      MutableMatrix y, bool parallel) const;
  std::size_t entries() const;  // of the table of a unit

  const CodeTiles& tiles_;
  const kernels::ProductKernels& kernels_;
  std::size_t block_size_;
  std::size_t n_columns_;
  std::size_t n_centroids_;
  std::vector<float> codebooks_;         // [groups][n_centroids][block_size]
  std::vector<const float*> centroids_;  // of each padded position
  FloatRowProduct row_product_;
};

}  // namespace pqw
