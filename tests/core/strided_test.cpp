#include "pqw/core/strided.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "pqw/core/convert.h"
#include "pqw/core/tensor.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using testing::HasSubstr;

using Strides = std::vector<std::ptrdiff_t>;

template <class T>
std::vector<T> counted(std::size_t n) {
  std::vector<T> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(i + 1);
  return values;
}

// Copies 1, 2, ... in that shape to a buffer of zeros, `first` elements after its begin.
template <class T>
std::vector<T> copied(const Shape& shape, const Strides& strides, std::size_t n_buffer, DType dtype,
                      std::size_t first = 0) {
  const std::vector<T> from = counted<T>(element_count(shape));
  std::vector<T> to(n_buffer, T{0});
  copy_to_strided(std::as_bytes(std::span(from)), dtype, shape,
                  {reinterpret_cast<std::byte*>(to.data() + first), dtype, strides});
  return to;
}

TEST(Strided, PutsElementsWhereTheStridesSay) {
  EXPECT_EQ(copied<float>({2, 3}, {}, 6, DType::kF32), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(copied<float>({2, 3}, {4, 8}, 6, DType::kF32), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(copied<float>({2, 2}, {16, 8}, 8, DType::kF32),
            (std::vector<float>{1, 0, 2, 0, 3, 0, 4, 0}));
  EXPECT_EQ(copied<float>({2, 3}, {-12, -4}, 6, DType::kF32, 5),
            (std::vector<float>{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(copied<std::int8_t>({2, 1, 2}, {1, 77, 2}, 4, DType::kI8),
            (std::vector<std::int8_t>{1, 3, 2, 4}));
  EXPECT_EQ(copied<std::int16_t>({3}, {4}, 5, DType::kI16),
            (std::vector<std::int16_t>{1, 0, 2, 0, 3}));
  EXPECT_EQ(copied<std::int64_t>({3}, {-8}, 3, DType::kI64, 2),
            (std::vector<std::int64_t>{3, 2, 1}));
}

TEST(Strided, ScalarsAndEmptyTensorsFit) {
  EXPECT_EQ(copied<double>({}, {}, 1, DType::kF64), std::vector<double>{1});
  EXPECT_EQ(copied<double>({1, 1}, {0, 0}, 1, DType::kF64), std::vector<double>{1});
  EXPECT_EQ(copied<float>({2, 0, 3}, {0, 0, 0}, 1, DType::kF32), std::vector<float>{0});
}

// Longer than what is converted at a time, in both ways of copying.
TEST(Strided, LongRunsAreWhole) {
  const std::size_t n = 5000;
  EXPECT_EQ(copied<float>({n}, {}, n, DType::kF32), counted<float>(n));
  const auto spread = copied<float>({n}, {8}, 2 * n, DType::kF32);
  for (std::size_t i = 0; i < n; ++i) {
    ASSERT_EQ(spread[2 * i], static_cast<float>(i + 1));
    ASSERT_EQ(spread[2 * i + 1], 0);
  }
  const std::vector<float> from = counted<float>(n);
  std::vector<double> to(n);
  copy_to_strided(std::as_bytes(std::span(from)), DType::kF32, Shape{n},
                  {reinterpret_cast<std::byte*>(to.data()), DType::kF64, {}});
  EXPECT_EQ(to, counted<double>(n));
}

// The values of {1.5, -2.25, 65536} in the type `to`, as doubles.
std::vector<double> converted(DType from, DType to) {
  const std::vector<float> values{1.5f, -2.25f, 65536.0f};
  std::vector<std::byte> source(3 * size_in_bytes(from)), target(3 * size_in_bytes(to) + 1);
  from_float(values, from, source);
  // Begins at an odd address.
  copy_to_strided(source, from, Shape{3}, {target.data() + 1, to, {}});
  std::vector<double> result(3);
  to_double(std::span(target).subspan(1), to, result);
  return result;
}

TEST(Strided, FloatTypesAreConverted) {
  const DType types[] = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64};
  for (const DType from : types) {
    for (const DType to : types) {
      // The largest number of F16 is 65504; BF16 has the neighbours 65280 and 65536.
      const bool saturates = to == DType::kF16 || (from == DType::kF16 && to != DType::kBF16);
      EXPECT_EQ(converted(from, to), (std::vector<double>{1.5, -2.25, saturates ? 65504.0 : 65536}))
          << to_string(from) << " to " << to_string(to);
    }
  }
}

TEST(Strided, BitsOfTheSameTypeStay) {
  const std::vector<std::uint16_t> nan{0x7d23, 0xfe01};  // with payloads, one of them signalling
  std::vector<std::uint16_t> to(2);
  copy_to_strided(std::as_bytes(std::span(nan)), DType::kF16, Shape{2},
                  {reinterpret_cast<std::byte*>(to.data()), DType::kF16, {}});
  EXPECT_EQ(to, nan);
  const double third = 1.0 / 3;
  double copy = 0;
  copy_to_strided(std::as_bytes(std::span(&third, 1)), DType::kF64, Shape{},
                  {reinterpret_cast<std::byte*>(&copy), DType::kF64, {}});
  EXPECT_EQ(copy, third);
}

std::string refusal(DType dtype, const Shape& shape, DType to, const Strides& strides) {
  const Error error = test::error_of([&] { require_fits(dtype, shape, {nullptr, to, strides}); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  return error.what();
}

TEST(Strided, BuffersThatDoNotFitAreRefused) {
  EXPECT_THAT(refusal(DType::kI32, {2}, DType::kF32, {}), HasSubstr("I32 cannot be copied as F32"));
  EXPECT_THAT(refusal(DType::kF4, {2}, DType::kF4, {}), HasSubstr("F4 cannot be copied"));
  EXPECT_THAT(refusal(DType::kUnknown, {2}, DType::kUnknown, {}), HasSubstr("unknown"));
  EXPECT_THAT(refusal(DType::kF32, {2, 2}, DType::kF32, {4}),
              HasSubstr("1 strides for shape [2, 2], expected one per dimension"));
  for (const Strides& shared : {Strides{0, 4}, {8, 2}, {4, 4}, {-8, 4}, {8, 4}}) {
    EXPECT_THAT(refusal(DType::kF32, {2, 3}, DType::kF32, shared), HasSubstr("share memory"))
        << shared[0] << ", " << shared[1];
  }
  const std::ptrdiff_t far = std::ptrdiff_t{1} << 62;
  EXPECT_THAT(refusal(DType::kF32, {9, 3}, DType::kF32, {far, 4}), HasSubstr("share memory"));
  EXPECT_NO_THROW(require_fits(DType::kF32, Shape{2, 3}, {nullptr, DType::kF64, Strides{8, -16}}));
}

}  // namespace
}  // namespace pqw
