#include "codecs/pq/train/initial_centroids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::UnorderedElementsAre;

using Choose = std::vector<std::size_t> (*)(BlockSpan, std::size_t, std::uint64_t);
class InitialBlocks : public testing::TestWithParam<Choose> {};
INSTANTIATE_TEST_SUITE_P(Random, InitialBlocks, testing::Values(&random_blocks));
INSTANTIATE_TEST_SUITE_P(PlusPlus, InitialBlocks,
                         testing::Values([](BlockSpan blocks, std::size_t n, std::uint64_t seed) {
                           return plus_plus_blocks(blocks, n, seed);
                         }));

TEST_P(InitialBlocks, AreDistinctEvenWhenNearlyAllAreEqual) {
  std::vector<float> blocks(100000, 0.0f);
  blocks[777] = 1;
  blocks[99999] = 2;
  std::vector<float> chosen;
  for (const std::size_t i : GetParam()({blocks, 1}, 3, 5)) chosen.push_back(blocks[i]);
  EXPECT_THAT(chosen, UnorderedElementsAre(0, 1, 2));
}

TEST_P(InitialBlocks, FollowTheSeed) {
  std::vector<float> blocks(1000);
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<float>(i);
  EXPECT_EQ(GetParam()({blocks, 1}, 20, 1), GetParam()({blocks, 1}, 20, 1));
  EXPECT_NE(GetParam()({blocks, 1}, 20, 1), GetParam()({blocks, 1}, 20, 2));
}

TEST(PlusPlusBlocks, FindFarGroupsThatUniformDrawsMiss) {
  std::vector<float> blocks(10000, 0.0f);  // one large group and seven single points far away
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = 1e-6f * static_cast<float>(i);
  for (std::size_t i = 1; i < 8; ++i) blocks[i * 1000] = 100.0f * static_cast<float>(i);
  std::vector<float> chosen;
  for (const std::size_t i : plus_plus_blocks({blocks, 1}, 400, 5)) chosen.push_back(blocks[i]);
  for (std::size_t i = 1; i < 8; ++i) {
    EXPECT_THAT(chosen, testing::Contains(100.0f * static_cast<float>(i)));
  }
}

}  // namespace
}  // namespace pqw
