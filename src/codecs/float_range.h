// The range of float: whether values are well inside it, and how to bring them into it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace pqw {

// The largest magnitude; infinity or NaN if a value is.
inline float largest_magnitude(std::span<const float> values) {
  // Without the sign, the bits of floats have the same order as the floats, with NaN above all.
  // Sixteen chains that do not wait for each other.
  std::int32_t largest[16] = {};
  std::size_t i = 0;
  const auto take = [&](std::size_t chain, float value) {
    largest[chain] = std::max(largest[chain], std::bit_cast<std::int32_t>(value) & 0x7fffffff);
  };
  for (; i + 16 <= values.size(); i += 16) {
    for (std::size_t chain = 0; chain < 16; ++chain) take(chain, values[i + chain]);
  }
  for (; i < values.size(); ++i) take(0, values[i]);
  return std::bit_cast<float>(*std::ranges::max_element(largest));
}

// True if no value is infinite or NaN.
inline bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000, kLastBit = 0x00800000;
  std::uint32_t carries = 0;  // into the sign if all bits of the exponent are set
  for (const float value : values) {
    carries |= (std::bit_cast<std::uint32_t>(value) & kExponent) + kLastBit;
  }
  return carries >> 31 == 0;
}

// True if sums of floats, the largest of them `largest`, are finite and lost no bits to underflow.
inline bool is_well_inside(float largest) {
  return largest >= 0x1p-100f && largest <= std::numeric_limits<float>::max();
}

// Rounds to the nearest float; values beyond the range become the largest float. NaN stays NaN.
inline float saturated(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMax, kMax));
}

// The exponent of the power of two that scales weights to about 1 if their squares would leave the
// range of float; 0 if they stay in it.
inline int safe_exponent(std::span<const float> values) {
  const float largest = largest_magnitude(values);
  if (largest == 0 || (largest < 0x1p30f && largest > 0x1p-30f)) return 0;
  return -std::ilogb(largest);
}

}  // namespace pqw
