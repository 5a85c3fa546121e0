#include "codecs/pq/train/reassign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::ElementsAre;

constexpr float kEps = kSplitEpsilon;

TEST(Reassign, SplitsTheMostPopulatedClusterByARelativeStep) {
  Clusters clusters{{10, 0, 30}, {1, 0, 1}};
  std::vector<float> codebook{1, 1, 9, 9, 4, -8};
  EXPECT_EQ(split_into_empty_clusters(clusters, 2, 2.0f, codebook), 1u);
  EXPECT_THAT(codebook,
              ElementsAre(1, 1, 4 + 6 * kEps, -8 - 10 * kEps, 4 - 6 * kEps, -8 + 10 * kEps));
  EXPECT_THAT(clusters.sizes, ElementsAre(10, 15, 15));
}

TEST(Reassign, ACentroidAtZeroIsMovedApartByTheSpread) {
  Clusters clusters{{4, 0}, {1, 0}};
  std::vector<float> codebook{0, 9};
  split_into_empty_clusters(clusters, 1, 1e-20f, codebook);
  EXPECT_NE(codebook[0], codebook[1]);
}

TEST(Reassign, ClustersOfEqualBlocksAreNoDonors) {
  Clusters clusters{{1000, 3, 0}, {0, 1, 0}};
  std::vector<float> codebook{0, 5, 7};
  EXPECT_EQ(split_into_empty_clusters(clusters, 1, 1.0f, codebook), 1u);
  EXPECT_EQ(codebook[0], 0);
  EXPECT_NE(codebook[1], 5);
}

TEST(Reassign, EndsWhenNothingCanBeDivided) {
  Clusters clusters{{2, 0, 0, 0}, {1, 0, 0, 0}};
  std::vector<float> codebook{1, 2, 3, 4};
  EXPECT_EQ(split_into_empty_clusters(clusters, 1, 1.0f, codebook), 1u);
  Clusters equal{{100, 0}, {0, 0}};
  EXPECT_EQ(split_into_empty_clusters(equal, 2, 1.0f, codebook), 0u);
}

TEST(Reassign, ManyEmptyClustersShareTheDonorsByHalves) {
  Clusters clusters{{8, 0, 0, 0}, {1, 0, 0, 0}};
  std::vector<float> codebook{1, 0, 0, 0};
  EXPECT_EQ(split_into_empty_clusters(clusters, 1, 1.0f, codebook), 3u);
  EXPECT_THAT(clusters.sizes, ElementsAre(2, 2, 2, 2));
}

TEST(Reassign, FarthestBlocksBecomeCentroids) {
  const std::vector<float> blocks{0, 1, 10, 7, 0};
  const std::vector<std::uint16_t> codes{0, 0, 0, 0, 0};
  const Clusters clusters{{5, 0, 0}, {1, 0, 0}};
  std::vector<float> codebook{0, -1, -1};
  EXPECT_EQ(move_empty_clusters_to_farthest(clusters, {blocks, 1}, codes, {}, codebook), 2u);
  EXPECT_THAT(codebook, testing::UnorderedElementsAre(0, 10, 7));
  // Weights: the block of value 1 counts a thousand times.
  const std::vector<float> rows{1, 1000, 1, 1, 1};
  const Clusters one_empty{{5, 0}, {1, 0}};
  codebook = {0, -1};
  move_empty_clusters_to_farthest(one_empty, {blocks, 1}, codes, {5, rows, {}}, codebook);
  EXPECT_THAT(codebook, ElementsAre(0, 1));
}

TEST(Reassign, BlocksThatACentroidMeetsAreNotTaken) {
  const std::vector<float> blocks{3, 3};
  const std::vector<std::uint16_t> codes{0, 0};
  const Clusters clusters{{2, 0}, {0, 0}};
  std::vector<float> codebook{3, 8};
  EXPECT_EQ(move_empty_clusters_to_farthest(clusters, {blocks, 1}, codes, {}, codebook), 0u);
  EXPECT_THAT(codebook, ElementsAre(3, 8));
}

}  // namespace
}  // namespace pqw
