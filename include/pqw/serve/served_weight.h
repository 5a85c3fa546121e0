// A weight of any codec, prepared once for repeated products.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "pqw/codecs/pq_lookup.h"
#include "pqw/codecs/weight.h"

namespace pqw {

class ServedForm;

// y = x Wᵀ from the compressed form: product-quantized weights through PqLookup, plain ones from
// their floats, int8 ones through Int8Product, low-rank ones by the products of their factors, the
// others as their codec multiplies. `options` say what a PqLookup may round and how it computes.
// Inputs of int8 weights are quantized to 8 bits if the precision is kFast, to 16 if it is kHigh,
// and not at all, but multiplied with the decoded weight, if it is kExact. Each product of a
// low-rank weight is as exact as that of its factor. Every other codec computes in float whatever
// they say. A row of y is finite where x is and the product is in the range of float, also if sums
// left it on the way. Copies share what was prepared. Safe to use from several threads at once.
class ServedWeight {
 public:
  // Errors: kInvalidArgument for a rank below 2 or a type that is not a float type.
  explicit ServedWeight(Weight weight, const ServeOptions& options = {});

  const Shape& shape() const { return shape_; }  // of the original tensor
  std::size_t rows() const { return matrix_.rows; }
  std::size_t cols() const { return matrix_.cols; }

  // x: [batch][cols()], y: [batch][rows()]. Errors: kInvalidArgument on other sizes.
  void multiply(ConstMatrix x, MutableMatrix y) const;

  // The same for rows first .. first+y.cols()-1 of W. Errors: kInvalidArgument on other sizes, and
  // for rows that do not exist.
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const;

  // How `multiply` computes a batch of that size, in a few words.
  std::string describe(std::size_t batch) const;

 private:
  Shape shape_;
  MatrixShape matrix_;
  std::shared_ptr<const ServedForm> form_;
};

}  // namespace pqw
