#include "codecs/pq/train/assign.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using test::squared_distance;

// Every chosen centroid is the best one up to float rounding, measured in double.
void expect_nearest(BlockSpan blocks, const std::vector<float>& codebook) {
  std::vector<std::uint16_t> codes(blocks.count());
  const double objective = assign(blocks, codebook, codes);
  double expected = 0;
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k * blocks.d < codebook.size(); ++k) {
      best = std::min(best, squared_distance(blocks[i], codebook.data() + k * blocks.d, blocks.d));
    }
    const double chosen =
        squared_distance(blocks[i], codebook.data() + codes[i] * blocks.d, blocks.d);
    EXPECT_LE(chosen, best * (1 + 1e-6));
    expected += best;
  }
  EXPECT_NEAR(objective, expected, expected * 1e-5);
}

TEST(Assign, FindsTheNearestCentroidAtAnySize) {
  for (const std::size_t d : {1u, 2u, 3u, 4u, 8u, 9u, 16u, 33u}) {
    for (const std::size_t n_centroids : {1u, 2u, 7u, 255u, 256u, 257u, 600u}) {
      const auto values = test::normal_values(301 * d, static_cast<unsigned>(d));
      const auto codebook = test::normal_values(n_centroids * d, 99);
      expect_nearest({values, d}, codebook);
    }
  }
}

TEST(Assign, DataFarFromTheOriginKeepsItsPrecision) {
  const auto values = test::normal_values(1000 * 8, 1, 100, 0.01f);
  const auto codebook = test::normal_values(256 * 8, 2, 100, 0.01f);
  expect_nearest({values, 8}, codebook);
}

TEST(Assign, TiesGoToTheLowestIndex) {
  const std::vector<float> blocks{0, 5, 2};
  std::vector<float> codebook(300, 9.0f);
  codebook[3] = -1;
  codebook[4] = 1;    // block 0: centroids 3 and 4 tie
  codebook[299] = 1;  // in another tile than its equal, 4
  std::vector<std::uint16_t> codes(3);
  assign({blocks, 1}, codebook, codes);
  EXPECT_EQ(codes, (std::vector<std::uint16_t>{3, 0, 4}));
}

TEST(Assign, BiasesAreAddedToWeightedDistances) {
  constexpr std::size_t kD = 3, kN = 600, kK = 50;
  const auto values = test::normal_values(kN * kD, 1);
  const auto codebook = test::normal_values(kK * kD, 2);
  auto biases = test::normal_values(kK, 3);
  for (float& bias : biases) bias = std::abs(bias);
  const std::vector<float> columns{0.5f, 2, 1, 1, 0.1f, 3};  // of 2 positions
  std::vector<std::uint16_t> codes(kN);
  const double objective = assign({values, kD}, codebook, codes, {kN / 2, {}, columns}, biases);
  double expected = 0;
  for (std::size_t i = 0; i < kN; ++i) {
    const auto cost = [&](std::size_t k) {
      double sum = biases[k];
      for (std::size_t j = 0; j < kD; ++j) {
        const double difference = double{values[i * kD + j]} - codebook[k * kD + j];
        sum += columns[i / (kN / 2) * kD + j] * difference * difference;
      }
      return sum;
    };
    double best = cost(0);
    for (std::size_t k = 1; k < kK; ++k) best = std::min(best, cost(k));
    EXPECT_LE(cost(codes[i]), best * (1 + 1e-6));
    expected += best;
  }
  EXPECT_NEAR(objective, expected, expected * 1e-5);
}

TEST(Assign, NoBlocksHaveNoObjective) {
  const std::vector<float> codebook{1, 2};
  EXPECT_EQ(assign({{}, 2}, codebook, {}), 0);
}

}  // namespace
}  // namespace pqw
