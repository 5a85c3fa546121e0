// Measures how far a decoded tensor is from the original.
#pragma once

#include <cstddef>
#include <span>

namespace pqw {

// Sums over pairs (w, ŵ) in double. The result depends on the order of the calls only; combine
// partial results with `add` in a fixed order to be independent of the number of threads. Of pairs
// with NaN all measures are NaN.
class Distortion {
 public:
  void add(std::span<const float> original, std::span<const float> reconstruction);
  void add(std::span<const double> original, std::span<const double> reconstruction);
  void add(const Distortion& other);

  std::size_t count() const { return count_; }

  // Σ(w-ŵ)² / Σw². 0 when nothing differs; infinity when all of w is zero and ŵ is not.
  double relative_error() const;
  // 10 log10 of Σw² / Σ(w-ŵ)², in dB; infinity when nothing differs.
  double sqnr_db() const;
  // Σwŵ / Σw²: the share of a layer's signal that survives if ŵ replaces w. 1 is unbiased. Also 1
  // if all of w is zero.
  double amplitude() const;
  // max |w-ŵ|
  double max_abs_error() const;
  // Cosine of the angle between w and ŵ; 1 when both are zero.
  double cosine() const;
  // Σ(w-ŵ)²
  double squared_error() const { return squared_error_; }
  // Σw²
  double squared_norm() const { return squared_norm_; }

 private:
  template <class T>
  void add_pairs(std::span<const T> original, std::span<const T> reconstruction);

  std::size_t count_ = 0;
  double squared_error_ = 0;
  double squared_norm_ = 0;
  double reconstruction_squared_norm_ = 0;
  double dot_ = 0;
  double max_abs_error_ = 0;
};

}  // namespace pqw
