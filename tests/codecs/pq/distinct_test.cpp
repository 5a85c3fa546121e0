#include "codecs/pq/train/distinct.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::ElementsAre;

TEST(DistinctBlocks, FirstAppearancesUpToTheLimit) {
  const std::vector<float> blocks{1, 2, 1, 2, 3, 4, 1, 3, 3, 4};
  EXPECT_THAT(distinct_blocks({blocks, 2}, 10), ElementsAre(0, 2, 3));
  EXPECT_THAT(distinct_blocks({blocks, 2}, 2), ElementsAre(0, 2));
}

TEST(DistinctBlocks, NegativeZeroEqualsZero) {
  const std::vector<float> blocks{0.0f, -0.0f, 1.0f};
  EXPECT_THAT(distinct_blocks({blocks, 1}, 10), ElementsAre(0, 2));
}

}  // namespace
}  // namespace pqw
