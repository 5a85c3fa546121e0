#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <ostream>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "tests/support/random_matrix.h"
#include "tests/support/random_pq_weight.h"

namespace pqw {
namespace {

using test::element;
using test::random_pq_weight;
using ::testing::ElementsAre;

struct Case {
  Shape shape;
  std::size_t d, n_centroids, n_groups, batch;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << to_string(c.shape) << ", d = " << c.d << ", K = " << c.n_centroids
       << ", groups: " << c.n_groups << ", batch " << c.batch;
}

void multiply(const PqWeight& weight, ConstMatrix x, MutableMatrix y) {
  make_product(weight, {.precision = Precision::kExact})->multiply_rows(0, x, y);
}

class PqMultiply : public testing::TestWithParam<Case> {};

TEST_P(PqMultiply, EqualsTheDenseProductInDouble) {
  const Case& c = GetParam();
  const PqWeight weight = random_pq_weight(c.shape, c.d, c.n_centroids, c.n_groups);
  const auto x = test::normal_values(c.batch * weight.cols(), 5);
  std::vector<float> y(c.batch * weight.rows(), NAN);
  multiply(weight, {x.data(), c.batch, weight.cols()}, {y.data(), c.batch, weight.rows()});
  double error = 0, norm = 0;
  for (std::size_t b = 0; b < c.batch; ++b) {
    for (std::size_t r = 0; r < weight.rows(); ++r) {
      double expected = 0;
      for (std::size_t i = 0; i < weight.cols(); ++i) {
        expected += x[b * weight.cols() + i] * element(weight, r, i);
      }
      const double difference = y[b * weight.rows() + r] - expected;
      error += difference * difference;
      norm += expected * expected;
    }
  }
  EXPECT_LE(std::sqrt(error), 1e-5 * std::sqrt(norm));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, PqMultiply,
    testing::Values(Case{{1, 1}, 1, 1, 1, 1}, Case{{3, 5}, 2, 4, 1, 2}, Case{{7, 3}, 8, 2, 1, 3},
                    Case{{64, 3, 3, 3}, 9, 256, 1, 4}, Case{{1500, 40}, 8, 16, 1, 2},
                    Case{{33, 1000}, 4, 300, 7, 1}, Case{{20, 3000}, 4, 256, 1, 3},
                    Case{{5, 6}, 2, 65536, 1, 2}, Case{{4, 10}, 4, 5, 3, 65}));

// With one method: kAuto may choose another one for fewer rows.
TEST(PqMultiply, RowRangesAreParts) {
  const PqWeight weight = random_pq_weight({50, 70}, 4, 16, 1);
  const auto x = test::normal_values(2 * 70, 5);
  for (const ServeMethod method :
       {ServeMethod::kLookup, ServeMethod::kBatchLookup, ServeMethod::kDecode}) {
    const auto product = make_product(weight, {.method = method});
    std::vector<float> whole(2 * 50), part(2 * 7);
    product->multiply_rows(0, {x.data(), 2, 70}, {whole.data(), 2, 50});
    product->multiply_rows(13, {x.data(), 2, 70}, {part.data(), 2, 7});
    for (std::size_t b = 0; b < 2; ++b) {
      for (std::size_t r = 0; r < 7; ++r) {
        EXPECT_EQ(part[b * 7 + r], whole[b * 50 + 13 + r]) << to_string(method);
      }
    }
  }
}

TEST(PqMultiply, BitsDoNotDependOnTheThreads) {
  const PqWeight weight = random_pq_weight({3000, 64}, 4, 256, 1);
  const auto x = test::normal_values(2 * 64, 5);
  std::vector<float> expected(2 * 3000);
  omp_set_num_threads(1);
  multiply(weight, {x.data(), 2, 64}, {expected.data(), 2, 3000});
  for (const int threads : {2, 3}) {
    omp_set_num_threads(threads);
    std::vector<float> y(2 * 3000);
    multiply(weight, {x.data(), 2, 64}, {y.data(), 2, 3000});
    EXPECT_EQ(y, expected);
  }
  omp_set_num_threads(omp_get_num_procs());
}

TEST(PqMultiply, EmptySidesGiveZerosOrNothing) {
  const PqWeight no_columns = random_pq_weight({3, 0}, 4, 2, 1);
  std::vector<float> y(3, 7.0f);
  multiply(no_columns, {nullptr, 1, 0}, {y.data(), 1, 3});
  EXPECT_EQ(y, std::vector<float>(3));
  const std::vector<float> x(64);
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    const auto no_rows = make_product(random_pq_weight({0, 64}, 4, 16, 1),
                                      {.precision = precision, .memory = ServeMemory::kFastest});
    EXPECT_FALSE(no_rows->describe(1).empty());
    no_rows->multiply_rows(0, {x.data(), 1, 64}, {nullptr, 1, 0});
  }
}

TEST(PqDecode, ReadsTheLayoutByItsDefinition) {
  const PqWeight weight = random_pq_weight({6, 11}, 4, 5, 2);
  std::vector<float> w(6 * 11);
  PqCodec::decode_rows(weight, 0, {w.data(), 6, 11});
  std::vector<float> row(11);
  decode_rows(Weight(weight), 4, {row.data(), 1, 11});
  for (std::size_t r = 0; r < 6; ++r) {
    for (std::size_t c = 0; c < 11; ++c) EXPECT_EQ(w[r * 11 + c], element(weight, r, c));
  }
  for (std::size_t c = 0; c < 11; ++c) EXPECT_EQ(row[c], w[4 * 11 + c]);
}

TEST(PqWeight, GroupsShareThePositionsNearlyEqually) {
  for (std::size_t n = 1; n < 20; ++n) {
    for (std::size_t groups = 1; groups <= n; ++groups) {
      EXPECT_EQ(first_position(0, groups, n), 0u);
      EXPECT_EQ(first_position(groups, groups, n), n);
      for (std::size_t g = 0; g < groups; ++g) {
        const std::size_t length = first_position(g + 1, groups, n) - first_position(g, groups, n);
        EXPECT_GE(length, n / groups);
        EXPECT_LE(length, n / groups + 1);
      }
    }
  }
}

TEST(PqWeight, PositionsKnowTheirGroupAndTheirCodes) {
  const PqWeight weight = random_pq_weight({2, 19}, 4, 5, 2);  // 5 positions
  EXPECT_THAT(group_of_positions(weight), ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(group_of_positions(weight, 3), ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(group_of_positions(weight, 8), ElementsAre(0, 0, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(weight.codes_of(0), ElementsAre(weight.codes[0], weight.codes[1]));
  EXPECT_THAT(weight.codes_of(4), ElementsAre(weight.codes[8], weight.codes[9]));
}

TEST(PqWeight, SizeCountsCodesAndCodebooks) {
  PqWeight weight = random_pq_weight({6, 11}, 4, 5, 2);
  weight.codebook_dtype = DType::kF16;
  // 18 codes of 3 bits, two codebooks of F16.
  EXPECT_EQ(data_bytes(PqCodec::to_record(weight, "w")), (6u * 3 * 3 + 7) / 8 + 2u * 5 * 4 * 2);
}

}  // namespace
}  // namespace pqw
