// The loops of int8_rows.h in a form that compilers vectorise. Each int8_rows_*.cpp compiles them
// for its own instructions; no product and sum become one instruction, so that all give the same.
#pragma once

#include <bit>

#include "kernels/int8_rows.h"

namespace pqw::kernels {
namespace {

constexpr std::size_t kRangeLanes = 16;

RowRange range_of_row(const float* x, std::size_t n) {
  float lo[kRangeLanes] = {}, hi[kRangeLanes] = {}, probe[kRangeLanes] = {};
  double squares[kRangeLanes] = {};
  const auto add = [&](float value, std::size_t i) {
    lo[i] = value < lo[i] ? value : lo[i];
    hi[i] = value > hi[i] ? value : hi[i];
    probe[i] += value * 0.0f;
    const double wide = value;
    squares[i] += wide * wide;
  };
  std::size_t c = 0;
  for (; c + kRangeLanes <= n; c += kRangeLanes) {
    for (std::size_t i = 0; i < kRangeLanes; ++i) add(x[c + i], i);
  }
  for (; c < n; ++c) add(x[c], 0);
  RowRange range{lo[0], hi[0], probe[0], squares[0]};
  for (std::size_t i = 1; i < kRangeLanes; ++i) {
    range.lo = lo[i] < range.lo ? lo[i] : range.lo;
    range.hi = hi[i] > range.hi ? hi[i] : range.hi;
    range.probe += probe[i];
    range.squares += squares[i];
  }
  return range;
}

// Adding 1.5 * 2^23 leaves no bits behind the point: the sum is rounded to nearest, ties to even,
// and its lowest bits are the integer.
inline std::int32_t to_integer(float x, const Rounding& rounding) {
  constexpr float kRound = 0x1.8p23f;
  float value = x * rounding.unit * rounding.inverse;
  value = value < rounding.least ? rounding.least : value;
  value = value > rounding.most ? rounding.most : value;
  return std::bit_cast<std::int32_t>(value + kRound) -
         (std::bit_cast<std::int32_t>(kRound) - rounding.zero_point);
}

// Calls store(c, integer) for each value; returns the sum of the integers, which have up to 16 bits.
template <class Store>
std::uint64_t round_row(const float* x, std::size_t n, const Rounding& rounding,
                        const Store& store) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 16;  // whose sum fits into 32 bits
  std::uint64_t total = 0;
  for (std::size_t begin = 0; begin < n; begin += kAtOnce) {
    const std::size_t end = n - begin < kAtOnce ? n : begin + kAtOnce;
    std::uint32_t sum = 0;
    for (std::size_t c = begin; c < end; ++c) {
      const std::int32_t q = to_integer(x[c], rounding);
      store(c, q);
      sum += static_cast<std::uint32_t>(q);
    }
    total += sum;
  }
  return total;
}

std::uint64_t row_to_bytes(const float* x, std::size_t n, const Rounding& rounding,
                           std::uint8_t* bytes) {
  return round_row(x, n, rounding,
                   [=](std::size_t c, std::int32_t q) { bytes[c] = static_cast<std::uint8_t>(q); });
}

std::uint64_t row_to_words(const float* x, std::size_t n, const Rounding& rounding,
                           std::uint8_t* low, std::uint8_t* high) {
  return round_row(x, n, rounding, [=](std::size_t c, std::int32_t q) {
    low[c] = static_cast<std::uint8_t>(q);
    high[c] = static_cast<std::uint8_t>(q >> 8);
  });
}

void sums_to_floats(const std::int32_t* sums, const std::int32_t* row_sums, std::size_t n,
                    std::int32_t zero_point, float unit, float* y) {
  for (std::size_t r = 0; r < n; ++r) {
    y[r] = static_cast<float>(sums[r] - zero_point * row_sums[r]) * unit;
  }
}

template <bool kHigh, bool kZeroPoints, class Sum>
void scaled_sums(const Int8Sums<Sum>& sums, float* y) {
  for (std::size_t r = 0; r < sums.n; ++r) {
    auto sum = static_cast<double>(sums.low[r]);
    if constexpr (kHigh) sum += 256.0 * sums.high[r];
    if constexpr (kZeroPoints) sum -= sums.x_sum * sums.zero_points[r];
    sum -= sums.x_zero_point * sums.row_sums[r];
    y[r] = static_cast<float>(sum * (sums.x_scale * sums.scales[r]));
  }
}

template <class Sum>
void scaled_sums_to_floats(const Int8Sums<Sum>& sums, float* y) {
  const bool zero_points = sums.zero_points != nullptr;
  if (sums.high == nullptr) {
    zero_points ? scaled_sums<false, true>(sums, y) : scaled_sums<false, false>(sums, y);
  } else {
    zero_points ? scaled_sums<true, true>(sums, y) : scaled_sums<true, false>(sums, y);
  }
}

constexpr Int8RowKernels kInt8Rows{.range = range_of_row,
                                   .to_bytes = row_to_bytes,
                                   .to_words = row_to_words,
                                   .to_floats = sums_to_floats,
                                   .scaled_to_floats = scaled_sums_to_floats<std::int32_t>,
                                   .scaled_totals_to_floats = scaled_sums_to_floats<double>};

}  // namespace
}  // namespace pqw::kernels
