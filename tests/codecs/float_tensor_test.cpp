#include "pqw/codecs/float_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "pqw/core/convert.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

TEST(ReadFloats, ConvolutionsAreMatricesOfTheirOutputs) {
  const std::vector<float> w{1, 2, 3, 4, 5, 6, 7, 8};
  const FloatTensor tensor = read_floats({"conv", DType::kF32, {2, 1, 2, 2}}, bytes_of(w));
  EXPECT_EQ(tensor.matrix().rows(), 2u);
  EXPECT_EQ(tensor.matrix()(1, 0), 5);
}

TEST(ReadFloats, HalfPrecisionIsWidened) {
  const std::vector<std::uint16_t> w{float_to_f16(0.5f), float_to_f16(-2.0f)};
  const FloatTensor tensor = read_floats({"w", DType::kF16, {1, 2}}, std::as_bytes(std::span(w)));
  EXPECT_THAT(tensor.values, ElementsAre(0.5f, -2.0f));
}

TEST(ReadFloats, NonFiniteWeightsAreNamedAndCounted) {
  const std::vector<float> w{0, std::numeric_limits<float>::quiet_NaN(), 1,
                             -std::numeric_limits<float>::infinity()};
  try {
    read_floats({"fc.weight", DType::kF32, {2, 2}}, bytes_of(w));
    FAIL() << "NaN was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
    EXPECT_THAT(error.what(), HasSubstr("'fc.weight': 2 NaN or infinite"));
    EXPECT_THAT(error.what(), HasSubstr("index 1"));
  }
}

TEST(ReadFloats, DoublesBeyondFloatAreRefused) {
  const std::vector<double> w{1e300, 1};
  EXPECT_THROW(read_floats({"w", DType::kF64, {1, 2}}, std::as_bytes(std::span(w))), Error);
}

TEST(ReadFloats, DoublesThatAllVanishAreRefusedButFewMay) {
  const std::vector<double> vanishing{1e-300, 0}, mixed{1e-300, 1}, zeros{0, 0};
  const TensorInfo info{"w", DType::kF64, {1, 2}};
  EXPECT_THROW(read_floats(info, std::as_bytes(std::span(vanishing))), Error);
  EXPECT_THAT(read_floats(info, std::as_bytes(std::span(mixed))).values, ElementsAre(0, 1));
  EXPECT_THAT(read_floats(info, std::as_bytes(std::span(zeros))).values, ElementsAre(0, 0));
}

TEST(ReadFloats, VectorsAndIntegersAreRefused) {
  const std::vector<float> w{1, 2};
  EXPECT_THROW(read_floats({"b", DType::kF32, {2}}, bytes_of(w)), Error);
  EXPECT_THROW(read_floats({"i", DType::kI32, {1, 2}}, bytes_of(w)), Error);
}

}  // namespace
}  // namespace pqw
