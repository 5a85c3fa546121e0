#include "codecs/pq/train/relocate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

TEST(Relocate, TakesACentroidFromATightPairToAWideCluster) {
  // Centroids 0 and 1 share what one could serve; centroid 2 serves points 100 apart.
  const std::vector<float> blocks{0, 0.1f, 50, 150};
  const std::vector<std::uint16_t> codes{0, 1, 2, 2};
  std::vector<float> codebook{0, 0.1f, 100};
  EXPECT_EQ(relocate_centroids({blocks, 1}, codes, {}, codebook), 1u);
  // Scatter 2 * 50² over mass 2: half a normal distribution lies √(2/π) * 50 from its middle.
  std::sort(codebook.begin(), codebook.end());
  EXPECT_THAT(codebook, ElementsAre(FloatNear(0.05f, 1e-6f), FloatNear(100 - 39.894f, 1e-3f),
                                    FloatNear(100 + 39.894f, 1e-3f)));
}

TEST(Relocate, LeavesABalancedCodebookAlone) {
  const std::vector<float> blocks{-1, 1, 9, 11, 19, 21};
  const std::vector<std::uint16_t> codes{0, 0, 1, 1, 2, 2};
  std::vector<float> codebook{0, 10, 20};
  EXPECT_EQ(relocate_centroids({blocks, 1}, codes, {}, codebook), 0u);
  EXPECT_THAT(codebook, ElementsAre(0, 10, 20));
}

TEST(Relocate, BlocksWithoutWeightDoNotPull) {
  const std::vector<float> blocks{0, 0.1f, 50, 150};
  const std::vector<std::uint16_t> codes{0, 1, 2, 2};
  const std::vector<float> rows{1, 1, 0, 0};
  std::vector<float> codebook{0, 0.1f, 100};
  EXPECT_EQ(relocate_centroids({blocks, 1}, codes, {4, rows, {}}, codebook), 0u);
}

}  // namespace
}  // namespace pqw
