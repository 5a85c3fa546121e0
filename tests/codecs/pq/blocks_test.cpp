#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;

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
  const Blocks blocks =
      cut_blocks(read_floats({"conv", DType::kF32, {2, 1, 2, 2}}, bytes_of(w)), 4);
  EXPECT_THAT(blocks.values, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(CutBlocks, BlocksOfNothingAreRefused) {
  const std::vector<float> w{1, 2};
  EXPECT_THROW(cut_blocks(ConstMatrix(w.data(), 1, 2), 0), Error);
}

TEST(AutoBlockSize, FollowsTheKernel) {
  EXPECT_EQ(auto_block_size(Shape{64, 32, 3, 3}), 9u);
  EXPECT_EQ(auto_block_size(Shape{64, 32, 1, 1}), 4u);
  EXPECT_EQ(auto_block_size(Shape{64, 32, 1}), 4u);
  EXPECT_EQ(auto_block_size(Shape{1000, 512}), 8u);
  EXPECT_EQ(auto_block_size(Shape{64, 3, 7, 7}), 7u);   // 147 = 3 * 7 * 7
  EXPECT_EQ(auto_block_size(Shape{64, 16, 5, 5}), 8u);  // 400
  EXPECT_EQ(auto_block_size(Shape{64, 5, 5}), 5u);      // 25
  EXPECT_EQ(auto_block_size(Shape{8, 1, 11}), 11u);
  EXPECT_EQ(auto_block_size(Shape{8, 1, 13}), 13u);
  EXPECT_EQ(auto_block_size(Shape{8, 1, 17}), 1u);
  EXPECT_EQ(auto_block_size(Shape{8, 3, 3}), 9u);
}

TEST(PqOptions, BlocksAreNoLongerThanARow) {
  PqOptions options{.block_size = kAutoBlockSize};
  PqCodec::resolve(options, Shape{5000, 3});
  EXPECT_EQ(options.block_size, 3u);
  options.block_size = 1048576;
  PqCodec::resolve(options, Shape{500, 2, 1, 2});
  EXPECT_EQ(options.block_size, 4u);
}

}  // namespace
}  // namespace pqw
