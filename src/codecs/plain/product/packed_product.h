// Products with decoded weights, which are packed for the vectors of this processor.
#pragma once

#include <cstddef>
#include <memory>

#include "codecs/product/scratch.h"
#include "kernels/product.h"
#include "pqw/codecs/plain.h"
#include "pqw/codecs/product.h"

namespace pqw {

// Rows of W stand side by side in the lanes of vectors, so that rows of x and y stay where they are:
// neither is copied. Takes 4 bytes for each element of the weight.
class PackedProduct : public Product {
 public:
  // Errors: kInvalidArgument for a rank below 2 or a type that is not a float type.
  explicit PackedProduct(const PlainWeight& weight);

  void decode_row(std::size_t row, std::span<float> out) const override;
  std::string describe(std::size_t) const override { return "dense product"; }

 private:
  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;
  void multiply_panel(std::size_t index, ConstMatrix x, MutableMatrix y) const;

  // panels_[row / width_][column][row % width_]; the last panel may be narrower.
  const float* panel(std::size_t index) const {
    return reinterpret_cast<const float*>(panels_.get()) + index * width_ * cols();
  }
  std::size_t width(std::size_t index) const;  // of that panel

  const kernels::ProductKernels& kernels_;
  std::size_t width_;  // of all panels but the last: rows of W
  AlignedBytes panels_;
};

}  // namespace pqw
