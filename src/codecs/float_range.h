// The range of float: whether values are well inside of it, and how they are brought into it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace pqw {

// Infinity or NaN where a value is.
inline float largest_magnitude(std::span<const float> values) {
  // The bits of floats without a sign are in the order of the floats, NaN above all.
  std::int32_t largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::bit_cast<std::int32_t>(value) & 0x7fffffff);
  }
  return std::bit_cast<float>(largest);
}

// Whether sums of floats, of which that is the largest, are finite and lost no bits to underflow.
inline bool is_well_inside(float largest) {
  return largest >= 0x1p-100f && largest <= std::numeric_limits<float>::max();
}

// To the nearest float; beyond the largest one, that one. NaN stays NaN.
inline float saturated(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMax, kMax));
}

// The power of two that brings weights which are so large or small that their squares leave the
// range of float to about 1; 0 for all others.
inline int safe_exponent(std::span<const float> values) {
  const float largest = largest_magnitude(values);
  if (largest == 0 || (largest < 0x1p30f && largest > 0x1p-30f)) return 0;
  return -std::ilogb(largest);
}

}  // namespace pqw
