#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "pqw/codecs/pq_encode.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

TEST(CutBlocks, LieByPositionThenRowWithZeroPaddedTails) {
  const std::vector<float> w{1, 2, 3,  //
                             4, 5, 6};
  const Blocks blocks = cut_blocks(ConstMatrix(w.data(), 2, 3), 2);
  EXPECT_THAT(blocks.values, ElementsAre(1, 2, 4, 5, 3, 0, 6, 0));
  EXPECT_EQ(blocks.count(), 4u);
}

TEST(CutBlocks, ConvolutionsAreFlattenedBehindTheirOutputs) {
  std::vector<float> w(2 * 1 * 2 * 2);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i);
  const Blocks blocks = cut_blocks({"conv", DType::kF32, {2, 1, 2, 2}}, bytes_of(w), 4);
  EXPECT_THAT(blocks.values, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(CutBlocks, HalfPrecisionIsWidened) {
  const std::vector<std::uint16_t> w{float_to_f16(0.5f), float_to_f16(-2.0f)};
  const Blocks blocks = cut_blocks({"w", DType::kF16, {1, 2}}, std::as_bytes(std::span(w)), 2);
  EXPECT_THAT(blocks.values, ElementsAre(0.5f, -2.0f));
}

TEST(CutBlocks, NonFiniteWeightsAreNamedAndCounted) {
  const std::vector<float> w{0, std::numeric_limits<float>::quiet_NaN(), 1,
                             -std::numeric_limits<float>::infinity()};
  try {
    cut_blocks({"fc.weight", DType::kF32, {2, 2}}, bytes_of(w), 2);
    FAIL() << "NaN was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
    EXPECT_THAT(error.what(), HasSubstr("'fc.weight': 2 NaN or infinite"));
    EXPECT_THAT(error.what(), HasSubstr("index 1"));
  }
}

TEST(CutBlocks, DoublesBeyondFloatAreRefused) {
  const std::vector<double> w{1e300, 1};
  EXPECT_THROW(cut_blocks({"w", DType::kF64, {1, 2}}, std::as_bytes(std::span(w)), 1), Error);
}

TEST(CutBlocks, DoublesThatAllVanishAreRefusedButFewMay) {
  const std::vector<double> vanishing{1e-300, 0}, mixed{1e-300, 1}, zeros{0, 0};
  const TensorInfo info{"w", DType::kF64, {1, 2}};
  EXPECT_THROW(cut_blocks(info, std::as_bytes(std::span(vanishing)), 1), Error);
  EXPECT_THAT(cut_blocks(info, std::as_bytes(std::span(mixed)), 1).values, ElementsAre(0, 1));
  EXPECT_THAT(cut_blocks(info, std::as_bytes(std::span(zeros)), 1).values, ElementsAre(0, 0));
}

TEST(CutBlocks, VectorsAndIntegersAreRefused) {
  const std::vector<float> w{1, 2};
  EXPECT_THROW(cut_blocks({"b", DType::kF32, {2}}, bytes_of(w), 1), Error);
  EXPECT_THROW(cut_blocks({"i", DType::kI32, {1, 2}}, bytes_of(w), 1), Error);
  EXPECT_THROW(cut_blocks({"w", DType::kF32, {1, 2}}, bytes_of(w), 0), Error);
}

}  // namespace
}  // namespace pqw
