// Products of tensorized weights.
#pragma once

#include <string>

#include "codecs/tensorized/value/factors.h"
#include "pqw/codecs/product.h"
#include "pqw/codecs/tensorized.h"

namespace pqw {

// The factors of one layer as floats.
class TensorizedProduct : public Product {
 public:
  explicit TensorizedProduct(TensorizedWeight weight);

  // As weight.forward says.
  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;
  void decode_row(std::size_t row, std::span<float> out) const override;

  // "factorized, 0.11 of the operations of a dense product" or "reconstructed, ..."
  std::string describe(std::size_t batch) const override;

 private:
  TensorizedWeight weight_;  // without its factors
  tensorized::Factors factors_;
};

// Multiplications and additions of a product with `batch` rows of x: what kCheaper compares.
struct TensorizedCost {
  double factorized = 0;
  double reconstructed = 0;  // forming W included
};
TensorizedCost multiply_cost(const TensorizedWeight& weight, std::size_t batch);

// The way for that many rows of x: kFactorized or kReconstructed.
TensorForward forward_for(const TensorizedWeight& weight, std::size_t batch);

}  // namespace pqw
