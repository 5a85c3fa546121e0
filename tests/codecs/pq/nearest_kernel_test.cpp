// Every instruction set against the same double-precision reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codecs/active_kernels.h"
#include "codecs/pq/train/centroid_tiles.h"
#include "pqw/codecs/kernels.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using test::squared_distance;

class NearestKernel : public testing::TestWithParam<std::string> {
 protected:
  // Runs the kernel on `values` from an address that is `offset` floats off alignment.
  void run(const std::vector<float>& values, const std::vector<float>& codebook,
           const std::vector<float>& shift, std::size_t offset = 0,
           const std::vector<float>& biases = {}) {
    const std::size_t d = shift.size();
    std::vector<float> moved(offset, 0.0f);
    moved.insert(moved.end(), values.begin(), values.end());
    const std::size_t n = values.size() / d;
    codes_.assign(n, 0xffff);
    distances_.assign(n, -1.0f);
    std::vector<float> scratch(kernels::nearest_scratch_floats(d));
    const TiledCodebook tiles(codebook, shift, biases);
    kernels::find(GetParam())
        ->nearest(moved.data() + offset, n, tiles.view(), scratch.data(), codes_.data(),
                  distances_.data());
  }

  // The chosen centroid is within 1e-6 of the best one, and its distance is right, with its bias.
  void expect_nearest(const std::vector<float>& values, const std::vector<float>& codebook,
                      const std::vector<float>& shift, std::size_t offset = 0,
                      const std::vector<float>& biases = {}) {
    run(values, codebook, shift, offset, biases);
    const std::size_t d = shift.size();
    const auto distance = [&](std::size_t i, std::size_t k) {
      return squared_distance(values.data() + i * d, codebook.data() + k * d, d) +
             (biases.empty() ? 0 : biases[k]);
    };
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      double best = std::numeric_limits<double>::infinity();
      for (std::size_t k = 0; k * d < codebook.size(); ++k) {
        best = std::min(best, distance(i, k));
      }
      ASSERT_LT(codes_[i] * d, codebook.size());
      const double chosen = distance(i, codes_[i]);
      ASSERT_LE(chosen, best * (1 + 1e-6)) << "block " << i;
      ASSERT_NEAR(distances_[i], chosen, chosen * 1e-5);
    }
  }

  std::vector<std::uint16_t> codes_;
  std::vector<float> distances_;
};

TEST_P(NearestKernel, AllSizesCountsAndAlignments) {
  for (std::size_t d = 1; d <= 64; d += d < 20 ? 1 : 11) {
    for (const std::size_t n_centroids : {1u, 2u, 15u, 16u, 17u, 100u, 256u}) {
      const auto codebook = test::normal_values(n_centroids * d, 7);
      for (const std::size_t n : {0u, 1u, 31u, 32u, 33u, 65u}) {
        const auto values = test::normal_values(n * d, static_cast<unsigned>(n + d));
        expect_nearest(values, codebook, std::vector<float>(d), n % 5);
      }
    }
  }
}

TEST_P(NearestKernel, LargestCodebook) {
  const auto codebook = test::normal_values(65536 * 2, 7);
  expect_nearest(test::normal_values(40 * 2, 8), codebook, {0, 0});
}

TEST_P(NearestKernel, DataFarFromTheOriginIsAssignedWithoutAFault) {
  const auto values = test::normal_values(1000 * 8, 1, 100, 0.01f);
  const auto codebook = test::normal_values(256 * 8, 2, 100, 0.01f);
  expect_nearest(values, codebook, std::vector<float>(8, 100.0f));
  expect_nearest(values, codebook, std::vector<float>(8));  // the shift is for speed alone
}

TEST_P(NearestKernel, CentroidsOfVeryDifferentSizesDoNotDisturbEachOther) {
  auto codebook = test::normal_values(64 * 4, 3);
  for (std::size_t j = 0; j < 4; ++j) codebook[20 * 4 + j] = 1e6f;
  for (std::size_t j = 0; j < 4; ++j) codebook[40 * 4 + j] *= 1e-6f;
  expect_nearest(test::normal_values(500 * 4, 4), codebook, std::vector<float>(4));
}

TEST_P(NearestKernel, CentroidsThatNearlyCoincideAreToldApart) {
  std::vector<float> codebook;
  for (int k = 0; k < 200; ++k) {
    codebook.insert(codebook.end(), {1.0f + 1e-6f * static_cast<float>(k), 2.0f, 3.0f});
  }
  auto values = codebook;
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] += 3e-7f;
  expect_nearest(values, codebook, {0, 0, 0});
}

TEST_P(NearestKernel, BiasesOfAnySizeCount) {
  for (const float size : {1e-7f, 0.1f, 1.0f, 100.0f, 1e6f, 1e14f}) {
    for (const std::size_t d : {1u, 2u, 3u, 8u, 17u}) {
      for (const std::size_t n_centroids : {1u, 17u, 100u, 256u}) {
        auto biases = test::normal_values(n_centroids, 5);
        for (float& bias : biases) bias = size * std::abs(bias);
        expect_nearest(test::normal_values(65 * d, 6), test::normal_values(n_centroids * d, 7),
                       std::vector<float>(d, 0.1f), 1, biases);
      }
    }
  }
}

// Biases in different tiles that differ by less than scores can resolve.
TEST_P(NearestKernel, BiasesThatNearlyCoincideAreToldApart) {
  std::vector<float> codebook, biases;
  for (int k = 0; k < 200; ++k) {
    codebook.insert(codebook.end(), {k % 2 == 0 ? 1.0f : -1.0f, 30.0f});
    biases.push_back(2.0f + 3e-7f * static_cast<float>((k * 77) % 200));
  }
  expect_nearest(test::normal_values(70 * 2, 8), codebook, {0, 0}, 0, biases);
}

TEST_P(NearestKernel, TiesGoToTheLowestIndex) {
  std::vector<float> codebook(300 * 2, 50.0f);
  for (const std::size_t k : {5u, 9u, 40u, 299u}) codebook[k * 2] = codebook[k * 2 + 1] = 1.0f;
  run(std::vector<float>(70 * 2, 0.5f), codebook, {0, 0});
  for (const std::uint16_t code : codes_) EXPECT_EQ(code, 5);
}

INSTANTIATE_TEST_SUITE_P(Isa, NearestKernel, testing::ValuesIn(available_kernels()),
                         [](const auto& test_case) { return test_case.param; });

TEST(KernelChoice, PortableIsAlwaysThereAndTheBestComesFirst) {
  EXPECT_EQ(available_kernels().back(), "portable");
  EXPECT_EQ(kernels::find("sse9"), nullptr);
}

TEST(KernelChoice, TheForcedOneRuns) {
  const char* wanted = std::getenv("PQW_KERNEL");
  const std::string expected = wanted == nullptr ? available_kernels().front() : wanted;
  EXPECT_EQ(kernel_name(), expected);
  EXPECT_EQ(active_kernels().nearest, kernels::find(expected)->nearest);
}

}  // namespace
}  // namespace pqw
