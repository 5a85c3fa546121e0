// Computes y = x Wᵀ from codes by replacing each code with its centroid in a matrix product.
#pragma once

#include <span>

#include "codecs/pq/product/code_tiles.h"
#include "kernels/product.h"
#include "pqw/core/matrix.h"

namespace pqw {

class DecodeProduct {
 public:
  // Of floats, or of bfloat16 values whose products are summed as floats: an operand of the kernel
  // is a column, or a pair of columns in the bits of a float.
  enum class Operand { kFloat, kBfloat16 };

  // `tiles` must outlive the product. REQUIRES: weight.cols() > 0; for kBfloat16
  // kernels.multiply_decoded_bfloat16.
  DecodeProduct(const PqWeight& weight, const CodeTiles& tiles,
                const kernels::ProductKernels& kernels, Operand operand);

  // True if values and products are far from the limits at which bfloat16 kernels flush to zero or
  // overflow.
  static bool holds_bfloat16(std::span<const float> values);

  // Rows first .. first+y.cols()-1 of W. Returns the rows of x that bfloat16 cannot hold (a value
  // is not finite, or the largest one is far from 1); their y is not valid.
  std::vector<std::size_t> multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                    bool parallel) const;

  // float[block_size] of kFloat: what a code stands for at that position.
  const float* centroid(std::size_t position, std::uint16_t code) const {
    return centroids_[position] + code * block_size_;
  }

 private:
  void multiply_panel(std::size_t first, const float* panel, std::size_t n_vectors,
                      std::size_t first_row, std::size_t n_rows, MutableMatrix y, bool parallel,
                      std::uint16_t* codes, float* sums) const;
  void fill_panel(ConstMatrix x, std::size_t first, std::size_t n_rows, std::size_t n_lanes,
                  float* panel) const;
  std::size_t positions_at_once() const;

  const CodeTiles& tiles_;
  const kernels::ProductKernels& kernels_;
  Operand operand_;
  std::size_t block_size_;
  std::size_t block_operands_;
  std::size_t n_operands_;               // of a row
  std::vector<float> codebooks_;         // [groups][n_centroids][block_operands_]
  std::vector<const float*> centroids_;  // of each padded position
};

}  // namespace pqw
