// Measures how exact the integer tables of a weight are, on normal rows of x.
#pragma once

#include <cstddef>
#include <vector>

#include "codecs/pq/product/batch_lookup_product.h"
#include "codecs/pq/product/decode_int8_product.h"
#include "codecs/pq/product/decode_product.h"
#include "codecs/pq/product/lookup_product.h"

namespace pqw {

// The unit of ‖error‖ is sqrt(Σ_rc x_c² W_rc²), which is ‖y‖ on average over the signs of x.
struct TableError {
  double mean = 0;    // root mean square over rows of x
  double single = 0;  // what all but about one of ten thousand rows of x stay below
};

// The products of one weight with a few rows of x; they are made once and compared with those of
// several tables.
class TableErrorMeter {
 public:
  // `floats` are the products to compare with.
  TableErrorMeter(const PqWeight& weight, const DecodeProduct& floats);

  // If only few rows of W have large weights, y may by chance be shorter than that unit, and errors
  // show more. This is the factor; 1 if many rows have large weights.
  double cancellation() const;

  // Infinite when the tables cannot hold such x.
  template <class Product>  // LookupProduct, BatchLookupProduct or DecodeInt8Product
  TableError measure(const Product& integers) const;

 private:
  void weigh(const PqWeight& weight);
  void multiply(const PqWeight& weight, const DecodeProduct& floats);

  MatrixShape matrix_;
  std::vector<float> row_scales_;  // as in PqWeight; the products that are compared have none
  double effective_rows_ = 0;  // that would weigh as much if all were alike: (Σ‖W_r‖²)² / Σ‖W_r‖⁴
  std::vector<double> column_squares_;   // Σ_r W_rc² of each column
  std::vector<std::size_t> first_rows_;  // of the ranges of W that are multiplied
  std::size_t range_rows_ = 0;           // of each
  std::size_t n_x_ = 0;
  std::vector<float> x_;               // [n_x][cols]
  std::vector<double> squared_units_;  // [n_x]
  std::vector<float> expected_;        // [ranges][n_x][range_rows]
};

}  // namespace pqw
