// Computes y = x Wᵀ from codes with tables of floats, for many rows of x side by side.
#pragma once

#include "codecs/pq/product/code_tiles.h"
#include "kernels/product.h"
#include "pqw/core/matrix.h"

namespace pqw {

class FloatLookupProduct {
 public:
  // `tiles` must outlive the product. REQUIRES: weight.cols() > 0.
  FloatLookupProduct(const PqWeight& weight, const CodeTiles& tiles,
                     const kernels::ProductKernels& kernels);

  // Rows first .. first+y.cols()-1 of W.
  void multiply(std::size_t first, ConstMatrix x, MutableMatrix y, bool parallel) const;

 private:
  void build_position(std::size_t position, const float* x, bool one_row, float* table) const;
  void build_unit(std::size_t unit, const float* x, bool one_row, float* table,
                  float* halves) const;
  void multiply_lanes(std::size_t first, ConstMatrix x, std::size_t first_row, std::size_t n_rows,
                      MutableMatrix y, bool parallel) const;
  std::size_t entries() const;  // of the table of a unit

  const CodeTiles& tiles_;
  const kernels::ProductKernels& kernels_;
  std::size_t block_size_;
  std::size_t n_columns_;
  std::size_t n_centroids_;
  std::vector<float> codebooks_;          // [groups][n_centroids][block_size]
  std::vector<float> transposed_;         // [groups][block_size][n_centroids]
  std::vector<std::size_t> codebook_at_;  // where the codebook of each padded position starts
  std::vector<const float*> centroids_;   // of each padded position
};

}  // namespace pqw
