// Fully connected layers computed from the compressed weight.
#pragma once

#include <vector>

#include "pqw/codecs/weight.h"

namespace pqw {

// y = x Wᵀ + b. Holds what it needs; safe to use from several threads at once.
class Linear {
 public:
  // `weight` is [out, in]; `bias` has `out` elements, or none.
  // Errors: kInvalidArgument when the shapes do not fit.
  explicit Linear(Weight weight, std::vector<float> bias = {});

  std::size_t in_features() const { return shape_of(weight_)[1]; }
  std::size_t out_features() const { return shape_of(weight_)[0]; }

  // x: [batch][in_features], y: [batch][out_features]. Errors: kInvalidArgument on other sizes.
  void forward(ConstMatrix x, MutableMatrix y) const;

 private:
  Weight weight_;
  std::vector<float> bias_;
};

}  // namespace pqw
