#include "codecs/pq/train/update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;

TEST(UpdateCentroids, MovesToMeansAndLeavesEmptyOnes) {
  const std::vector<float> blocks{0, 0, 2, 4, 5, 5, 5, 5};
  const std::vector<std::uint16_t> codes{0, 0, 2, 2};
  std::vector<float> codebook{9, 9, 7, 8, 9, 9};
  const Clusters clusters = update_centroids({blocks, 2}, codes, codebook);
  EXPECT_THAT(codebook, ElementsAre(1, 2, 7, 8, 5, 5));
  EXPECT_THAT(clusters.sizes, ElementsAre(2, 0, 2));
  EXPECT_THAT(clusters.divisible, ElementsAre(1, 0, 0));
}

TEST(UpdateCentroids, BitsDoNotDependOnTheThreads) {
  const auto blocks = test::normal_values(5000 * 3, 4);
  std::vector<std::uint16_t> codes(5000);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint16_t>(i * i % 37);
  std::vector<float> expected(37 * 3);
  omp_set_num_threads(1);
  update_centroids({blocks, 3}, codes, expected);
  for (const int threads : {2, 3, 40}) {
    omp_set_num_threads(threads);
    std::vector<float> codebook(37 * 3);
    update_centroids({blocks, 3}, codes, codebook);
    EXPECT_EQ(codebook, expected) << threads << " threads";
  }
  omp_set_num_threads(omp_get_num_procs());
}

}  // namespace
}  // namespace pqw
