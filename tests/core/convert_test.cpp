#include "pqw/core/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <random>
#include <vector>

namespace pqw {
namespace {

// IEEE 754 binary16 and bfloat16 read by their definition.
double decode(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int sign = bits >> 15;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  double value;
  if (exponent == (1 << exponent_bits) - 1) {
    value = mantissa == 0 ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    value = std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  }
  return sign ? -value : value;
}

struct Half {
  int exponent_bits, mantissa_bits;
  float (*widen)(std::uint16_t);
  std::uint16_t (*narrow)(float);
};

void PrintTo(const Half& half, std::ostream* out) {
  *out << half.exponent_bits << " bits of exponent";
}

class HalfTest : public testing::TestWithParam<Half> {};

TEST_P(HalfTest, AllPatternsWidenExactlyAndComeBack) {
  const Half half = GetParam();
  for (unsigned pattern = 0; pattern <= 0xffff; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    const double expected = decode(bits, half.exponent_bits, half.mantissa_bits);
    const float value = half.widen(bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(half.widen(half.narrow(value))));
    } else {
      EXPECT_EQ(static_cast<double>(value), expected);
      EXPECT_EQ(std::signbit(value), std::signbit(expected));
      EXPECT_EQ(half.narrow(value), bits);
    }
  }
}

TEST_P(HalfTest, NarrowingRoundsToNearestEven) {
  const Half half = GetParam();
  const auto top =
      static_cast<std::uint16_t>(((1 << half.exponent_bits) - 1) << half.mantissa_bits);
  for (std::uint16_t bits = 0; bits + 1 < top; ++bits) {
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const float middle = static_cast<float>(
        (static_cast<double>(half.widen(bits)) + static_cast<double>(half.widen(next))) / 2);
    const std::uint16_t even = bits % 2 == 0 ? bits : next;
    EXPECT_EQ(half.narrow(middle), even);
    EXPECT_EQ(half.narrow(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(half.narrow(std::nextafter(middle, std::numeric_limits<float>::infinity())), next);
    EXPECT_EQ(half.narrow(-middle), even | 0x8000);
  }
}

INSTANTIATE_TEST_SUITE_P(F16, HalfTest, testing::Values(Half{5, 10, f16_to_float, float_to_f16}));
INSTANTIATE_TEST_SUITE_P(BF16, HalfTest, testing::Values(Half{8, 7, bf16_to_float, float_to_bf16}));

TEST(Convert, LargeValuesBecomeTheLargestFiniteOne) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const float large : {65519.0f, 65520.0f, 65536.0f, 1e30f, kMax}) {
    EXPECT_EQ(float_to_f16(large), 0x7bff) << large;
    EXPECT_EQ(float_to_f16(-large), 0xfbff) << large;
  }
  // 0x1.fep127 is the largest bfloat16, half a unit above it is 0x1.ffp127.
  for (const float large : {0x1.fep127f, 0x1.fefffep127f, 0x1.ffp127f, kMax}) {
    EXPECT_EQ(float_to_bf16(large), 0x7f7f) << large;
    EXPECT_EQ(float_to_bf16(-large), 0xff7f) << large;
  }
}

TEST(Convert, InfinityStaysInfinity) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(float_to_f16(kInfinity), 0x7c00);
  EXPECT_EQ(float_to_f16(-kInfinity), 0xfc00);
  EXPECT_EQ(float_to_bf16(kInfinity), 0x7f80);
  EXPECT_EQ(float_to_bf16(-kInfinity), 0xff80);
}

TEST(Convert, BuffersOfEveryFloatTypeRoundTrip) {
  const std::vector<float> values{0.0f, -0.0f, 1.0f, -2.5f, 0.15625f, 1024.0f};
  for (const DType dtype : {DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    std::vector<std::byte> bytes(values.size() * size_in_bytes(dtype));
    from_float(values, dtype, bytes);
    std::vector<float> back(values.size());
    to_float(bytes, dtype, back);
    EXPECT_EQ(back, values) << to_string(dtype);
    EXPECT_TRUE(std::signbit(back[1]));
    std::vector<double> wide(values.size());
    to_double(bytes, dtype, wide);
    EXPECT_EQ(wide, std::vector<double>(values.begin(), values.end())) << to_string(dtype);
  }
}

TEST(Convert, DoublesOfDoublesAreExact) {
  const std::vector<double> values{0.1, -1e300, 5e-324};
  std::vector<double> back(values.size());
  to_double(std::as_bytes(std::span(values)), DType::kF64, back);
  EXPECT_EQ(back, values);
}

}  // namespace
}  // namespace pqw
