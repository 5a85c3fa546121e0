// Products of weights that are laid out by rows (ServeLayout::kRows).
#pragma once

#include "pqw/codecs/product.h"

namespace pqw {

// Multiplies by decoding one row of W after the other.
class RowProduct : public Product {
 public:
  using Product::Product;

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;
  std::string describe(std::size_t) const override { return "rows decoded one at a time"; }
};

}  // namespace pqw
