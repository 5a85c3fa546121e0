#include "codecs/pq/reassign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::ElementsAre;

constexpr float kEps = kSplitEpsilon;

TEST(Reassign, SplitsTheMostPopulatedClusterByARelativeStep) {
  Clusters clusters{{10, 0, 30}, {1, 0, 1}};
  std::vector<float> codebook{1, 1, 9, 9, 4, -8};
  EXPECT_EQ(reassign_empty_clusters(clusters, 2, 2.0f, codebook), 1u);
  EXPECT_THAT(codebook,
              ElementsAre(1, 1, 4 + 6 * kEps, -8 - 10 * kEps, 4 - 6 * kEps, -8 + 10 * kEps));
  EXPECT_THAT(clusters.sizes, ElementsAre(10, 15, 15));
}

TEST(Reassign, ACentroidAtZeroIsMovedApartByTheSpread) {
  Clusters clusters{{4, 0}, {1, 0}};
  std::vector<float> codebook{0, 9};
  reassign_empty_clusters(clusters, 1, 1e-20f, codebook);
  EXPECT_NE(codebook[0], codebook[1]);
}

TEST(Reassign, ClustersOfEqualBlocksAreNoDonors) {
  Clusters clusters{{1000, 3, 0}, {0, 1, 0}};
  std::vector<float> codebook{0, 5, 7};
  EXPECT_EQ(reassign_empty_clusters(clusters, 1, 1.0f, codebook), 1u);
  EXPECT_EQ(codebook[0], 0);
  EXPECT_NE(codebook[1], 5);
}

TEST(Reassign, EndsWhenNothingCanBeDivided) {
  Clusters clusters{{2, 0, 0, 0}, {1, 0, 0, 0}};
  std::vector<float> codebook{1, 2, 3, 4};
  EXPECT_EQ(reassign_empty_clusters(clusters, 1, 1.0f, codebook), 1u);
  Clusters equal{{100, 0}, {0, 0}};
  EXPECT_EQ(reassign_empty_clusters(equal, 2, 1.0f, codebook), 0u);
}

TEST(Reassign, ManyEmptyClustersShareTheDonorsByHalves) {
  Clusters clusters{{8, 0, 0, 0}, {1, 0, 0, 0}};
  std::vector<float> codebook{1, 0, 0, 0};
  EXPECT_EQ(reassign_empty_clusters(clusters, 1, 1.0f, codebook), 3u);
  EXPECT_THAT(clusters.sizes, ElementsAre(2, 2, 2, 2));
}

}  // namespace
}  // namespace pqw
