// Measures how far a decoded tensor is from the original.
#include "pqw/core/distortion.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace pqw {
namespace {

// NaN without a sign, which some processors set.
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double quotient(double a, double b) {
  const double result = a / b;
  return std::isnan(result) ? kNaN : result;
}

}  // namespace

template <class T>
void Distortion::add_pairs(std::span<const T> original, std::span<const T> reconstruction) {
  assert(original.size() == reconstruction.size());
  for (std::size_t i = 0; i < original.size(); ++i) {
    const double w = original[i];
    const double v = reconstruction[i];
    const double error = w - v;
    squared_error_ += error * error;
    squared_norm_ += w * w;
    reconstruction_squared_norm_ += v * v;
    dot_ += w * v;
    max_abs_error_ = std::max(max_abs_error_, std::abs(error));
  }
  count_ += original.size();
}

void Distortion::add(std::span<const float> original, std::span<const float> reconstruction) {
  add_pairs(original, reconstruction);
}

void Distortion::add(std::span<const double> original, std::span<const double> reconstruction) {
  add_pairs(original, reconstruction);
}

void Distortion::add(const Distortion& other) {
  count_ += other.count_;
  squared_error_ += other.squared_error_;
  squared_norm_ += other.squared_norm_;
  reconstruction_squared_norm_ += other.reconstruction_squared_norm_;
  dot_ += other.dot_;
  max_abs_error_ = std::max(max_abs_error_, other.max_abs_error_);
}

double Distortion::relative_error() const {
  if (squared_error_ == 0) return 0;
  if (squared_norm_ == 0) return std::numeric_limits<double>::infinity();
  return quotient(squared_error_, squared_norm_);
}

double Distortion::sqnr_db() const {
  if (squared_error_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(quotient(squared_norm_, squared_error_));
}

double Distortion::amplitude() const {
  return squared_norm_ == 0 ? 1 : quotient(dot_, squared_norm_);
}

// std::max passes over NaN.
double Distortion::max_abs_error() const {
  return std::isnan(squared_error_) ? kNaN : max_abs_error_;
}

double Distortion::cosine() const {
  const double norms = std::sqrt(squared_norm_) * std::sqrt(reconstruction_squared_norm_);
  if (norms != 0) return quotient(dot_, norms);
  return squared_norm_ == reconstruction_squared_norm_ ? 1 : 0;
}

}  // namespace pqw
