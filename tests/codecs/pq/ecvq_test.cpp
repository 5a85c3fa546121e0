#include "codecs/pq/train/ecvq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "codecs/pq/train/class_lengths.h"
#include "pqw/codecs/pq.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

const OnIteration kNobody = [](const EmIteration&) {};
void keep(std::span<float>) {}

// One row class, blocks of one value.
std::vector<float> constrained(const std::vector<float>& values, std::vector<float> codebook,
                               double lambda) {
  std::vector<std::uint16_t> codes(values.size());
  return constrain_entropy({{values, 1}, {1, {}, {}}, lambda, 1, 8, kNobody}, std::move(codebook),
                           codes, keep);
}

// 64 zeros, 64 ones, and one 1.1: the mean square is 65.21 / 129 = 0.5055.
std::vector<float> with_a_rare_value() {
  std::vector<float> values(64, 0.0f);
  values.resize(128, 1.0f);
  values.push_back(1.1f);
  return values;
}

TEST(Ecvq, ARareCentroidThatDoesNotEarnItsBitsIsRemoved) {
  // Centroid 1.1 costs the block log2(129) = 7.01 bits. Centroid 1 costs it an error of 0.01 and
  // 1.01 bits. A bit costs 0.02 * 0.5055 here, so 6 bits cost more than 0.01.
  const auto codebook = constrained(with_a_rare_value(), {0.0f, 1.0f, 1.1f}, 0.02);
  ASSERT_THAT(codebook, SizeIs(2));
  EXPECT_EQ(codebook[0], 0);
  EXPECT_FLOAT_EQ(codebook[1], 65.1f / 65);
}

TEST(Ecvq, ARareCentroidThatEarnsItsBitsStays) {
  // 6 bits of its code and 14 bits of the centroid cost 20 * 0.0001 * 0.5055 = 0.001, below 0.01.
  EXPECT_THAT(constrained(with_a_rare_value(), {0.0f, 1.0f, 1.1f}, 0.0001),
              ElementsAre(0.0f, 1.0f, 1.1f));
}

TEST(Ecvq, ACentroidThatNoBlockTakesIsRemoved) {
  EXPECT_THAT(constrained(with_a_rare_value(), {0.0f, 50.0f, 1.0f, 1.1f}, 0.0001),
              ElementsAre(0.0f, 1.0f, 1.1f));
}

TEST(Ecvq, LengthsFollowFromTheSharesOfCodes) {
  const std::vector<std::uint16_t> codes{0, 0, 0, 1};
  EXPECT_THAT(lengths_of_codes(codes, std::vector<std::uint8_t>{0, 0}, 3),
              ElementsAre(testing::FloatNear(std::log2(4 / 3.0f), 1e-5f), 2.0f, kLongest));
}

TEST(Ecvq, LengthsOfAClassAreBlendedWithThoseOfAllRows) {
  // Row 0 has the codes 0, row 1 the codes 1: class 0 has shares (8 + 8 / 2) / (8 + 8) and 4 / 16.
  ASSERT_EQ(kBlend, 8);
  std::vector<std::uint16_t> codes;
  for (int position = 0; position < 8; ++position) codes.insert(codes.end(), {0, 1});
  const float often = -std::log2(0.75f);
  EXPECT_THAT(
      lengths_of_codes(codes, std::vector<std::uint8_t>{0, 1}, 2),
      ElementsAre(testing::FloatNear(often, 1e-5f), 2.0f, 2.0f, testing::FloatNear(often, 1e-5f)));
}

// Rows 0, 1 and 3 have the code 0, row 2 has the code 1; rows 2 and 3 are loud.
std::vector<std::uint8_t> classes_of_four_rows(std::size_t n_positions) {
  std::vector<std::uint16_t> codes;
  std::vector<float> values;
  for (std::size_t position = 0; position < n_positions; ++position) {
    codes.insert(codes.end(), {0, 0, 1, 0});
    values.insert(values.end(), {1, 1, 2, 2});
  }
  return best_row_classes({values, 1}, codes, 4, 2, 2);
}

TEST(Ecvq, RowsMoveToTheClassInWhichTheirCodesTakeTheFewestBits) {
  EXPECT_THAT(classes_of_four_rows(1000), ElementsAre(0, 0, 1, 0));
}

TEST(Ecvq, ThereIsOneClassIfMoreDoNotPayForTheirTables) {
  // One class: 8 codes of 0.81 bits. A second class takes 12 bits of frequencies, and 4 of rows.
  EXPECT_THAT(classes_of_four_rows(2), ElementsAre(0, 0, 0, 0));
}

// Values with a peak and long tails, as weights have.
std::vector<float> peaked_values(std::size_t n, unsigned seed) {
  std::vector<float> values = test::normal_values(n, seed);
  for (float& value : values) value *= std::abs(value);
  return values;
}

TEST(Ecvq, JNeverRises) {
  const auto values = peaked_values(8 * 1000 * 2, 1);
  std::vector<std::uint16_t> codes(8000);
  double previous = HUGE_VAL;
  int n_compared = 0;
  const OnIteration on_iteration = [&](const EmIteration& iteration) {
    if (previous != HUGE_VAL) {
      EXPECT_LE(iteration.objective, previous * (1 + 1e-6));
      ++n_compared;
    }
    // Centroids that are removed for their own bits make J larger.
    previous = iteration.n_reassigned > 0 ? HUGE_VAL : iteration.objective;
  };
  constexpr double kLambdaOfOneStep = 0.008;
  (void)constrain_entropy({{values, 2}, {8, {}, {}}, kLambdaOfOneStep, 1, 8, on_iteration},
                          test::normal_values(64 * 2, 2), codes, keep);
  EXPECT_GE(n_compared, 2);
}

double entropy(const PqWeight& weight) {
  std::vector<double> counts(weight.n_centroids);
  for (const std::uint16_t code : weight.codes) ++counts[code];
  double bits = 0;
  const auto n = static_cast<double>(weight.codes.size());
  for (const double count : counts) bits += count == 0 ? 0 : count * std::log2(n / count);
  return bits / n;
}

double squared_error(const PqWeight& weight, const std::vector<float>& values, std::size_t row) {
  std::vector<float> decoded(weight.cols());
  PqCodec::decode_rows(weight, row, MutableMatrix(decoded.data(), 1, weight.cols()));
  return test::squared_distance(decoded.data(), &values[row * weight.cols()], weight.cols());
}

double squared_error(const PqWeight& weight, const std::vector<float>& values) {
  double sum = 0;
  for (std::size_t row = 0; row < weight.rows(); ++row) sum += squared_error(weight, values, row);
  return sum;
}

constexpr std::size_t kRows = 64, kCols = 200;

TEST(Ecvq, AlongLambdaEntropyFallsAndTheErrorRises) {
  const auto values = peaked_values(kRows * kCols, 3);
  const ConstMatrix w(values.data(), kRows, kCols);
  double bits = HUGE_VAL, error = 0;
  for (const double lambda : {0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4}) {
    const PqWeight weight = pq_from_float(
        w, {.block_size = 2, .n_centroids = 64, .lambda = lambda, .gain = Gain::kLeastSquares});
    EXPECT_LT(entropy(weight), bits) << lambda;
    EXPECT_GT(squared_error(weight, values), error) << lambda;
    bits = entropy(weight);
    error = squared_error(weight, values);
  }
}

TEST(Ecvq, ImportantRowsGetMoreBits) {
  const auto values = peaked_values(kRows * kCols, 4);
  const ConstMatrix w(values.data(), kRows, kCols);
  std::vector<float> rows(kRows, 1.0f);
  rows[0] = 0;
  rows[1] = 30;
  const PqImportance importance{rows, {}};
  const PqOptions options{.block_size = 2, .n_centroids = 64, .lambda = 0.05};
  const PqWeight without = pq_from_float(w, options);
  const PqWeight with = pq_from_float(w, options, {nullptr, &importance});
  EXPECT_LT(squared_error(with, values, 1), 0.5 * squared_error(without, values, 1));
  // In a row of importance 0, only bits count: all its blocks have the most common code.
  for (std::size_t p = 0; p < with.positions(); ++p) EXPECT_EQ(with.codes_of(p)[0], with.codes[0]);
}

TEST(Ecvq, RowClassesLowerJ) {
  auto values = peaked_values(8 * 4000, 5);  // rows side by side; half of them are small
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= i % 8 < 4 ? 1.0f : 0.1f;
  const auto cost = [&](unsigned most_classes) {
    double last = 0;
    const OnIteration on_iteration = [&](const EmIteration& i) { last = i.objective; };
    std::vector<std::uint16_t> codes(values.size());
    (void)constrain_entropy({{values, 1}, {8, {}, {}}, 0.02, most_classes, 8, on_iteration},
                            test::normal_values(32, 6), codes, keep);
    return last;
  };
  EXPECT_LT(cost(2), 0.95 * cost(1));
}

TEST(Ecvq, DoesNotDependOnTheThreads) {
  const auto values = peaked_values(kRows * kCols * 4, 7);
  const ConstMatrix w(values.data(), kRows, kCols * 4);
  const PqOptions options{.block_size = 2, .n_centroids = 64, .lambda = 0.03};
  const int n_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const PqWeight one = pq_from_float(w, options);
  omp_set_num_threads(4);
  const PqWeight four = pq_from_float(w, options);
  omp_set_num_threads(n_threads);
  EXPECT_EQ(one.codebooks, four.codebooks);
  EXPECT_EQ(one.codes, four.codes);
}

TEST(Ecvq, NeedsOneCodebook) {
  EXPECT_THROW(PqCodec::check({.n_groups = 2, .lambda = 0.1}), Error);
  EXPECT_THROW(PqCodec::check({.n_additive = 2, .lambda = 0.1}), Error);
  EXPECT_THROW(PqCodec::check({.lambda = 0.1, .engine = Engine::kFaiss}), Error);
}

}  // namespace
}  // namespace pqw
