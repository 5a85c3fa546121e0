// Products of plain weights.
#pragma once

#include "pqw/codecs/plain.h"
#include "pqw/codecs/product.h"

namespace pqw {

// The weight as it is; its values become floats as they are used.
class PlainProduct : public Product {
 public:
  // Errors: kInvalidArgument for a rank below 2 or a type that is not a float type.
  explicit PlainProduct(PlainWeight weight);

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;
  void decode_row(std::size_t row, std::span<float> out) const override;
  std::string describe(std::size_t) const override { return "dense product"; }

 private:
  PlainWeight weight_;
};

}  // namespace pqw
