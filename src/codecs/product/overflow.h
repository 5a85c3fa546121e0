// Products whose sums leave the range of float although the result is inside it.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "codecs/active_kernels.h"
#include "codecs/float_range.h"

namespace pqw {

// y is the result of `product(x, y, 1)`. If y is not finite although x is, computes it again in
// units of 2^-exponent, in which neither products nor sums overflow. A value that is still infinite
// is beyond the range of float. REQUIRES: product(a x, y, a unit) gives a product(x, y, unit).
template <class Product>
void multiply_again_if_infinite(std::span<const float> x, std::span<float> y,
                                const Product& product) {
  constexpr int kSmall = -20;  // the exponent of the largest value of the scaled x
  const auto all_finite = active_kernels().contraction->all_finite;
  if (all_finite(y.data(), y.size()) || x.empty() || !all_finite(x.data(), x.size())) return;
  const float largest = largest_magnitude(x);
  const int exponent = largest > 0 ? kSmall - std::ilogb(largest) : kSmall;
  std::vector<float> small(x.begin(), x.end()), again(y.size());
  for (float& value : small) value = std::ldexp(value, exponent);
  product(std::span<const float>(small), std::span<float>(again), std::ldexp(1.0f, exponent));
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) y[i] = std::ldexp(again[i], -exponent);
  }
}

}  // namespace pqw
