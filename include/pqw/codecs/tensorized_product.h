// A tensorized weight made ready for many multiplications.
#pragma once

#include <memory>
#include <string>

#include "pqw/codecs/tensorized.h"

namespace pqw {

// The factors of one layer as floats: what multiply (tensorized.h) makes anew at every call. Holds
// all it needs. Immutable, cheap to copy, safe to use from several threads at once.
class TensorizedProduct {
 public:
  explicit TensorizedProduct(const TensorizedWeight& weight);

  // y = x Wᵀ as weight.forward says, for the rows first .. first+y.cols()-1 of W.
  // REQUIRES: they exist; x is [batch][columns of W], y is [batch][any].
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const;

  // "factorized, 0.11 of the operations of a dense product" or "reconstructed, ..."
  std::string describe(std::size_t batch) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pqw
