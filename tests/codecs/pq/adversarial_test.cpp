// Inputs that other encoders hang or fail on: each ends within its iterations, with a stated
// result.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>

#include "pqw/codecs/encode.h"
#include "pqw/core/distortion.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

struct Adversary {
  const char* name;
  std::vector<float> values;
  std::size_t rows;
  PqOptions options;
  std::size_t n_centroids;  // that are left
  double relative_error;    // at most
};

void PrintTo(const Adversary& adversary, std::ostream* out) { *out << adversary.name; }

struct Counter : EmObserver {
  void on_iteration(const EmIteration& iteration) override {
    EXPECT_TRUE(std::isfinite(iteration.objective));
    EXPECT_GE(iteration.objective, 0);
    n_iterations += iteration.restart == 0;
  }
  std::size_t n_iterations = 0;
};

std::vector<float> five_kinds() {
  std::vector<float> values;
  for (std::size_t i = 0; i < 1000; ++i) {
    for (std::size_t j = 0; j < 4; ++j) values.push_back(static_cast<float>((i % 5) * (j + 1)));
  }
  return values;
}

std::vector<float> with_outlier() {
  auto values = test::normal_values(4000, 1);
  values[1250] = 1e6f;
  return values;
}

std::vector<float> denormals() {
  std::vector<float> values(4000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::numeric_limits<float>::denorm_min() * static_cast<float>(i * 7919 % 1001);
  }
  return values;
}

std::vector<float> mostly_equal() {  // as pruning leaves them
  auto values = test::normal_values(4000, 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i / 4 % 20 == 0 ? values[i] : 0.0f;
  return values;
}

std::vector<float> huge() {
  auto values = test::normal_values(4000, 4);
  for (float& value : values) value *= 1e37f;
  return values;
}

// Sixteen blocks or so for each centroid, where there are blocks enough.
const PqOptions kQuarter{.block_size = 4, .n_centroids = 64, .iterations = 12, .restarts = 2};
const PqOptions kMany{.block_size = 4, .iterations = 12, .restarts = 2};
const PqOptions kNine{.block_size = 9, .iterations = 12, .restarts = 2};

// 64 centroids are 1.5 bits for a weight: less error than the best scalar quantizer of three levels
// (1.58 bits) makes of normal values.
constexpr double kErrorOfThreeLevels = 0.1902;

class Adversarial : public testing::TestWithParam<Adversary> {};

TEST_P(Adversarial, EndsWithTheStatedResult) {
  const Adversary& c = GetParam();
  for (const Init init : {Init::kPlusPlus, Init::kRandom}) {
    for (const Reassign reassign : {Reassign::kSplit, Reassign::kFarthest}) {
      PqOptions options = c.options;
      options.init = init;
      options.reassign = reassign;
      options.tolerance = 0;
      Counter counter;
      const ConstMatrix w(c.values.data(), c.rows, c.values.size() / c.rows);
      const PqWeight weight = pq_from_float(w, options, {.observer = &counter});
      EXPECT_LE(counter.n_iterations, options.iterations);
      EXPECT_EQ(weight.n_centroids, c.n_centroids);
      std::vector<float> decoded(c.values.size());
      PqCodec::decode_rows(weight, 0, {decoded.data(), w.rows(), w.cols()});
      Distortion distortion;
      distortion.add(c.values, decoded);
      EXPECT_LE(distortion.relative_error(), c.relative_error);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Adversarial,
    testing::Values(
        Adversary{"all_zero", std::vector<float>(4000), 100, kQuarter, 1, 0},
        Adversary{"all_equal", std::vector<float>(4000, 0.75f), 100, kQuarter, 1, 0},
        Adversary{"five_distinct_blocks", five_kinds(), 100, kQuarter, 5, 0},
        Adversary{"outlier", with_outlier(), 100, kQuarter, 64, 2.5e-8},
        Adversary{"denormals", denormals(), 100, kQuarter, 64, 0.2},
        Adversary{"huge", huge(), 100, kQuarter, 64, kErrorOfThreeLevels},
        Adversary{"mostly_equal", mostly_equal(), 100, kQuarter, 51, 1e-6},
        Adversary{"as_many_centroids_as_blocks", test::normal_values(1024, 5), 16, kMany, 256,
                  1e-6},
        Adversary{"fewer_blocks_than_centroids", test::normal_values(400, 6), 10, kMany, 100, 1e-6},
        Adversary{"depthwise_3x3", test::normal_values(512 * 9, 7), 512, kNine, 256, 0.2},
        Adversary{"one_row", test::normal_values(4000, 8), 1, kMany, 256, 0.1},
        Adversary{"one_column", test::normal_values(1000, 9), 1000, kQuarter, 64, 0.01}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace pqw
