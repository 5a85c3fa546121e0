// Products of product-quantized weights.
#pragma once

#include <optional>

#include "codecs/pq/product/batch_lookup_product.h"
#include "codecs/pq/product/decode_int8_product.h"
#include "codecs/pq/product/decode_product.h"
#include "codecs/pq/product/float_lookup_product.h"
#include "codecs/pq/product/lookup_product.h"
#include "codecs/pq/product/table_error.h"
#include "kernels/table.h"
#include "pqw/codecs/pq.h"
#include "pqw/codecs/product.h"

namespace pqw {

// y = x Wᵀ from the codes, without forming W: for each row of x a table of the products of its
// blocks with all centroids is built, and y is a sum of table entries (Jégou et al. 2011, "Product
// quantization for nearest neighbor search", eq. 13, with products in place of distances). If it is
// faster, the codes are replaced by their centroids and multiplied.
//
// Holds the codes, laid out for the kernels, and further data that the methods need. Takes about as
// many bytes as the codes. The bits of a result depend neither on the number of threads nor on the
// other rows of the range or of the batch, as long as the method is the same. Row scales multiply
// the finished sums.
//
// If a few centroids are far longer than the others, their codes (up to 8 % of all) are computed as
// floats, without integer tables. The error of the tables is measured on a few rows of normal x. A
// weight gets float32 tables if this error is above the bound of the precision, if it has few rows,
// or if only few of its rows have large weights.
// A row of x with an infinite or NaN value, or with values so large or small that the scale of its
// tables would not be a normal float, is computed as if the precision were kExact.
class PqProduct : public Product {
 public:
  PqProduct(const PqWeight& weight, const ServeOptions& options);

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;
  void decode_row(std::size_t row, std::span<float> out) const override;

  // The method, the tables and the instruction set.
  std::string describe(std::size_t batch) const override;

  // The method for a batch of that size and all rows; never kAuto.
  ServeMethod method(std::size_t batch) const { return method(batch, rows()); }

 private:
  class Exactness;

  void add_rounded_products(const PqWeight& weight);
  void add_dense_product(const PqWeight& weight);
  void add_integer_tables(const PqWeight& weight, const Exactness& exactness);
  ServeMethod method(std::size_t batch, std::size_t n_rows) const;
  void multiply_exactly(std::span<const std::size_t> rows, std::size_t first, ConstMatrix x,
                        MutableMatrix y, bool parallel) const;

  ServeOptions options_;
  std::vector<float> row_scales_;  // as in PqWeight; the members below compute without them
  const kernels::Table& kernels_;
  std::size_t block_size_;
  std::size_t n_centroids_;
  CodeTiles tiles_;                                 // the others refer to them
  std::optional<LookupProduct> lookup_;             // when the precision and the codes allow it
  std::optional<FloatLookupProduct> batch_lookup_;  // when there are columns
  std::optional<BatchLookupProduct> batch_lookup_integers_;  // finer than lookup_ for kFast
  std::optional<DecodeProduct> decode_;                      // when there are columns
  std::optional<DecodeProduct> decode_bf16_;      // when the precision and the processor allow it
  std::unique_ptr<const Product> dense_;          // of all that is decoded, with the row scales
  std::optional<DecodeInt8Product> decode_int8_;  // when the precision and the codebooks allow it
};

}  // namespace pqw
