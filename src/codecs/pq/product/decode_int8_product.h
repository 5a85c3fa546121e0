// Computes y = x Wᵀ from codes in integers: centroids of 8 bits in the place of codes, and x
// quantized row by row.
#pragma once

#include <cstdint>
#include <vector>

#include "codecs/pq/product/code_tiles.h"
#include "kernels/table.h"
#include "pqw/core/matrix.h"

namespace pqw {

// A row of x is x = s (q - z) with q of 8 bits (codecs/product/activations.h), a centroid is u n
// with one unit u for all codebooks. So y = s u Σ_c (q[c] - z) n[c], whose sum is exact: the result
// has the same bits with any instruction set.
class DecodeInt8Product {
 public:
  static constexpr std::size_t kMostRows = 384;  // of x for which a tile is decoded once

  // Whether the sums of all columns stay in 32 bits.
  static bool holds(const PqWeight& weight) {
    return weight.cols() > 0 && weight.cols() <= kernels::kInt8Columns;
  }

  // `tiles` must outlive the product. The error of a row may be `most` of the norm of y
  // (pqw/codecs/product.h). REQUIRES: holds(weight).
  DecodeInt8Product(const PqWeight& weight, const CodeTiles& tiles, const kernels::Table& kernels,
                    double most);

  // Rows first .. first+y.cols()-1 of W. Returns the rows of x of which 8 bits are not exact enough
  // (a value is not finite, or few values are far larger than the others); their y is not valid.
  std::vector<std::size_t> multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                    bool parallel) const;

 private:
  class Call;

  void add_row_sums(const PqWeight& weight);
  std::size_t positions_at_once() const;
  void decode(std::size_t tile, std::size_t first, std::size_t n, std::uint16_t* codes,
              std::int8_t* panels, std::size_t stride) const;

  const CodeTiles& tiles_;
  const kernels::Table& kernels_;
  std::size_t block_size_;
  std::size_t n_columns_;
  double unit_;
  double squared_error_;  // of the rounded centroids, relative
  double most_;
  bool low_codes_;                                // there are at most 128 centroids
  std::vector<std::int8_t> codebooks_;            // [groups][256, or more centroids][block_size]
  std::vector<std::int8_t> planes_;               // [groups][block_size][256], for codes of a byte
  std::vector<const std::int8_t*> centroids_of_;  // of each padded position
  std::vector<const std::int8_t*> planes_of_;
  std::vector<std::int32_t> row_sums_;  // Σ_c n[c] of each row of W, padded to whole tiles
};

}  // namespace pqw
