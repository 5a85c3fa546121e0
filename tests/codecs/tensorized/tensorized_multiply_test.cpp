#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <ostream>

#include "codecs/tensorized/product/tensorized_product.h"
#include "pqw/core/error.h"
#include "pqw/core/tensor.h"
#include "tests/support/random_tensorized_weight.h"

namespace pqw {
namespace {

using test::random_tensorized_weight;
using test::TensorizedReference;

constexpr TensorForm kCp = TensorForm::kCp;
constexpr TensorForm kTucker = TensorForm::kTucker;
constexpr TensorForm kTt = TensorForm::kTt;
constexpr TensorForm kTtm = TensorForm::kTtm;

struct Case {
  Shape shape;
  TensorLayout layout;
  std::size_t layer;
  std::size_t batch;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << to_string(c.shape) << " by " << testing::PrintToString(c.layout.out_modes) << " and "
       << testing::PrintToString(c.layout.in_modes) << " of ranks "
       << testing::PrintToString(c.layout.ranks);
}

std::vector<float> multiplied(TensorizedWeight weight, TensorForward forward,
                              const std::vector<float>& x, std::size_t batch) {
  weight.forward = forward;
  const MatrixShape matrix = matrix_shape(weight.shape);
  std::vector<float> y(batch * matrix.rows, NAN);
  TensorizedProduct(weight).multiply_rows(0, {x.data(), batch, matrix.cols},
                                          {y.data(), batch, matrix.rows});
  return y;
}

// One weight, the sum of three products of a factor of a row and a factor of a column.
float sum_of_products(TensorForm form, const std::vector<float>& row,
                      const std::vector<float>& column) {
  TensorizedWeight weight;
  weight.shape = {1, 1};
  std::vector<Weight> factors{test::plain_matrix({1, 3}, row)};
  switch (form) {
    case kCp:
      weight.layout = {form, {1}, {1}, 1, {3}};
      factors.push_back(test::plain_matrix({1, 3}, column));
      break;
    case kTucker:
      weight.layout = {form, {1}, {1}, 1, {3, 1}};
      factors.push_back(test::plain_matrix({1, 1}, {1}));
      factors.push_back(test::plain_matrix({3, 1}, column));
      break;
    case kTt:
      weight.layout = {form, {1}, {1}, 1, {3}};
      factors.push_back(test::plain_matrix({3, 1}, column));
      break;
    case kTtm:
      weight.layout = {form, {1, 1}, {1, 1}, 1, {3}};
      factors.push_back(test::plain_matrix({3, 1}, column));
  }
  weight.factors = std::make_shared<const std::vector<Weight>>(std::move(factors));
  float value = NAN;
  TensorizedCodec::decode_rows(weight, 0, {&value, 1, 1});
  return value;
}

TEST(TensorizedDecode, SumsThatLeaveTheRangeOfFloatOnTheWayDecode) {
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  for (const TensorForm form : {kCp, kTucker, kTt, kTtm}) {
    EXPECT_EQ(sum_of_products(form, {1, 1, 1}, {3e38f, 3e38f, -3e38f}), 3e38f);
    EXPECT_EQ(sum_of_products(form, {1, 1, 0}, {-3e38f, -3e38f, 0}), -kMax);
    // Two halves, each of which is rounded to 0 as a float.
    EXPECT_EQ(sum_of_products(form, {.5f, .5f, 0}, {kLeast, kLeast, 0}), kLeast);
  }
}

class TensorizedMultiply : public testing::TestWithParam<Case> {};

TEST_P(TensorizedMultiply, DecodingReadsTheDefinition) {
  const Case& c = GetParam();
  const TensorizedWeight weight = random_tensorized_weight(c.shape, c.layout, c.layer);
  const TensorizedReference expected(weight);
  const MatrixShape matrix = matrix_shape(c.shape);
  std::vector<float> w(matrix.rows * matrix.cols, NAN);
  TensorizedCodec::decode_rows(weight, 0, {w.data(), matrix.rows, matrix.cols});
  double error = 0, norm = 0;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    for (std::size_t column = 0; column < matrix.cols; ++column) {
      const double value = expected(r, column);
      error += std::pow(w[r * matrix.cols + column] - value, 2);
      norm += value * value;
    }
  }
  EXPECT_LE(std::sqrt(error), 1e-6 * std::sqrt(norm));
  EXPECT_GT(norm, 0);
  const std::size_t first = matrix.rows / 3, n = matrix.rows - first - matrix.rows / 4;
  std::vector<float> part(n * matrix.cols, NAN);
  decode_rows(weight, first, {part.data(), n, matrix.cols});
  EXPECT_TRUE(std::equal(part.begin(), part.end(),
                         w.begin() + static_cast<std::ptrdiff_t>(first * matrix.cols)));
}

TEST_P(TensorizedMultiply, BothWaysEqualTheDenseProductInDouble) {
  const Case& c = GetParam();
  const TensorizedWeight weight = random_tensorized_weight(c.shape, c.layout, c.layer);
  const TensorizedReference w(weight);
  const MatrixShape matrix = matrix_shape(c.shape);
  const auto x = test::normal_values(c.batch * matrix.cols, 5);
  const auto factorized = multiplied(weight, TensorForward::kFactorized, x, c.batch);
  const auto reconstructed = multiplied(weight, TensorForward::kReconstructed, x, c.batch);
  double factorized_error = 0, reconstructed_error = 0, norm = 0;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    std::vector<double> expected(c.batch);
    for (std::size_t i = 0; i < matrix.cols; ++i) {
      const double value = w(r, i);
      for (std::size_t b = 0; b < c.batch; ++b) expected[b] += x[b * matrix.cols + i] * value;
    }
    for (std::size_t b = 0; b < c.batch; ++b) {
      factorized_error += std::pow(factorized[b * matrix.rows + r] - expected[b], 2);
      reconstructed_error += std::pow(reconstructed[b * matrix.rows + r] - expected[b], 2);
      norm += expected[b] * expected[b];
    }
  }
  EXPECT_LE(std::sqrt(factorized_error), 2e-6 * std::sqrt(norm));
  EXPECT_LE(std::sqrt(reconstructed_error), 2e-6 * std::sqrt(norm));
}

TEST_P(TensorizedMultiply, RowRangesAreParts) {
  const Case& c = GetParam();
  TensorizedWeight weight = random_tensorized_weight(c.shape, c.layout, c.layer);
  const MatrixShape matrix = matrix_shape(c.shape);
  const auto x = test::normal_values(c.batch * matrix.cols, 5);
  for (const TensorForward forward : {TensorForward::kFactorized, TensorForward::kReconstructed}) {
    weight.forward = forward;
    const auto whole = multiplied(weight, forward, x, c.batch);
    double norm = 0;
    for (const float value : whole) norm = std::max<double>(norm, std::abs(value));
    for (const std::size_t first : {std::size_t{0}, matrix.rows / 3, matrix.rows - 1}) {
      const std::size_t n = (matrix.rows - first + 1) / 2;
      std::vector<float> part(c.batch * n, NAN);
      TensorizedProduct(weight).multiply_rows(first, {x.data(), c.batch, matrix.cols},
                                              {part.data(), c.batch, n});
      for (std::size_t b = 0; b < c.batch; ++b) {
        for (std::size_t r = 0; r < n; ++r) {
          EXPECT_NEAR(part[b * n + r], whole[b * matrix.rows + first + r], 1e-5 * norm);
        }
      }
    }
  }
}

TEST_P(TensorizedMultiply, BitsDoNotDependOnTheThreads) {
  const Case& c = GetParam();
  const TensorizedWeight weight = random_tensorized_weight(c.shape, c.layout, c.layer);
  const auto x = test::normal_values(c.batch * matrix_shape(c.shape).cols, 5);
  for (const TensorForward forward : {TensorForward::kFactorized, TensorForward::kReconstructed}) {
    omp_set_num_threads(1);
    const auto expected = multiplied(weight, forward, x, c.batch);
    omp_set_num_threads(3);
    EXPECT_TRUE(multiplied(weight, forward, x, c.batch) == expected);
    omp_set_num_threads(omp_get_num_procs());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, TensorizedMultiply,
    testing::Values(Case{{1, 1}, {kCp, {1}, {1}, 1, {1}}, 0, 1},
                    Case{{1, 1}, {kTucker, {1}, {1}, 1, {1, 1}}, 0, 2},
                    Case{{1, 1}, {kTt, {1}, {1}, 1, {1}}, 0, 1},
                    Case{{1, 1}, {kTtm, {1}, {1}, 1, {}}, 0, 1},
                    Case{{6, 4}, {kTtm, {6}, {4}, 1, {}}, 0, 3},
                    Case{{11, 13}, {kCp, {3, 4}, {2, 7}, 1, {5}}, 0, 3},
                    Case{{11, 13}, {kTucker, {3, 4}, {2, 7}, 1, {2, 3, 2, 5}}, 0, 3},
                    Case{{11, 13}, {kTt, {3, 4}, {2, 7}, 1, {3, 5, 2}}, 0, 3},
                    Case{{11, 13}, {kTtm, {3, 4}, {2, 7}, 1, {5}}, 0, 3},
                    Case{{30, 29}, {kCp, {2, 3, 5}, {30}, 1, {7}}, 0, 1},
                    Case{{30, 29}, {kTucker, {2, 3, 5}, {30}, 1, {2, 2, 3, 9}}, 0, 1},
                    Case{{30, 29}, {kTt, {2, 3, 5}, {30}, 1, {2, 4, 9}}, 0, 1},
                    Case{{30, 8}, {kTtm, {2, 3, 5}, {1, 2, 4}, 1, {2, 6}}, 0, 1},
                    Case{{16, 3, 3, 3}, {kCp, {4, 4}, {3, 3, 3}, 1, {300}}, 0, 4},
                    Case{{16, 3, 3, 3}, {kTt, {4, 4}, {3, 3, 3}, 1, {4, 6, 9, 3}}, 0, 4},
                    Case{{20, 10}, {kCp, {4, 5}, {2, 5}, 3, {6}}, 2, 5},
                    Case{{20, 10}, {kTucker, {4, 5}, {2, 5}, 3, {2, 3, 3, 2, 3}}, 1, 5},
                    Case{{20, 10}, {kTt, {4, 5}, {2, 5}, 3, {3, 6, 5, 2}}, 2, 5},
                    Case{{100, 96}, {kCp, {4, 5, 5}, {4, 4, 6}, 1, {40}}, 0, 70},
                    Case{{100, 96}, {kTucker, {4, 5, 5}, {4, 4, 6}, 1, {2, 3, 2, 2, 3, 2}}, 0, 70},
                    Case{{100, 96}, {kTt, {4, 5, 5}, {4, 4, 6}, 1, {4, 9, 9, 9, 5}}, 0, 70},
                    Case{{100, 96}, {kTtm, {4, 5, 5}, {4, 4, 6}, 1, {7, 9}}, 0, 70},
                    Case{{120, 250}, {kTtm, {4, 5, 6}, {5, 5, 10}, 1, {16, 12}}, 0, 2}));

// Each factor all ones and one rank: every element is 1.
TEST(TensorizedDecode, ByHand) {
  // CP of rank 2 with A = [[1, 2], [3, 4]], B = [[5, 6], [7, 8]]: W = A Bᵀ.
  TensorizedWeight weight = random_tensorized_weight({2, 2}, {kCp, {2}, {2}, 1, {2}});
  weight.factors = std::make_shared<const std::vector<Weight>>(std::vector<Weight>{
      test::plain_matrix({2, 2}, {1, 2, 3, 4}), test::plain_matrix({2, 2}, {5, 6, 7, 8})});
  std::vector<float> w(4);
  TensorizedCodec::decode_rows(weight, 0, {w.data(), 2, 2});
  EXPECT_EQ(w, (std::vector<float>{17, 23, 39, 53}));
  // The same factors as a train of rank 2 with B as [rank][columns]: W = A B.
  weight.layout = {kTt, {2}, {2}, 1, {2}};
  TensorizedCodec::decode_rows(weight, 0, {w.data(), 2, 2});
  EXPECT_EQ(w, (std::vector<float>{19, 22, 43, 50}));
  // A TT-matrix of rank 1 is a Kronecker product: [[1, 2], [3, 4]] ⊗ [[5, 6], [7, 8]].
  weight.shape = {4, 4};
  weight.layout = {kTtm, {2, 2}, {2, 2}, 1, {1}};
  w.resize(16);
  TensorizedCodec::decode_rows(weight, 0, {w.data(), 4, 4});
  EXPECT_EQ(w, (std::vector<float>{5, 6, 10, 12, 7, 8, 14, 16, 15, 18, 20, 24, 21, 24, 28, 32}));
}

TEST(TensorizedLayout, ParametersAreThoseOfTheFormulas) {
  // R Σ d
  EXPECT_EQ(parameter_count({kCp, {4, 5}, {6, 7}, 1, {3}}), 3u * (4 + 5 + 6 + 7));
  EXPECT_EQ(parameter_count({kCp, {4, 5}, {6, 7}, 2, {3}}), 3u * (2 + 4 + 5 + 6 + 7));
  // Π r + Σ d r
  EXPECT_EQ(parameter_count({kTucker, {4, 5}, {6}, 1, {2, 3, 4}}), 2u * 3 * 4 + 8 + 15 + 24);
  // Σ r d r
  EXPECT_EQ(parameter_count({kTt, {4, 5}, {6}, 1, {2, 3}}), 4u * 2 + 2 * 5 * 3 + 3 * 6);
  EXPECT_EQ(parameter_count({kTtm, {4, 5}, {6, 7}, 1, {3}}), 4u * 6 * 3 + 3 * 5 * 7);
}

TEST(TensorizedLayout, NonsenseIsRefused) {
  const std::size_t huge = std::size_t{1} << 40;
  for (const TensorLayout& layout :
       {TensorLayout{kCp, {}, {4}, 1, {2}}, TensorLayout{kCp, {4}, {4}, 1, {}},
        TensorLayout{kCp, {4}, {4}, 1, {0}}, TensorLayout{kCp, {4, 0}, {4}, 1, {1}},
        TensorLayout{kCp, {4}, {4}, 0, {1}}, TensorLayout{kTucker, {4}, {4}, 1, {2}},
        TensorLayout{kTt, {4}, {4}, 1, {2, 2}}, TensorLayout{kTtm, {4}, {2, 2}, 1, {2}},
        TensorLayout{kTtm, {4}, {4}, 2, {}}, TensorLayout{kTt, {huge}, {huge}, 1, {2}},
        TensorLayout{kCp, {huge}, {4}, 1, {huge}}}) {
    EXPECT_THROW(factor_shapes(layout), Error) << to_string(layout.ranks);
  }
}

TEST(TensorizedForward, TheCheaperOneIsChosen) {
  // Rank 2 of 64 x 64: two thin products beat the dense one.
  TensorizedWeight thin = random_tensorized_weight({64, 64}, {kTt, {64}, {64}, 1, {2}});
  EXPECT_EQ(forward_for(thin, 1), TensorForward::kFactorized);
  EXPECT_EQ(multiply_cost(thin, 10).factorized, 10 * 2 * (64 * 2 + 2 * 64));
  EXPECT_EQ(multiply_cost(thin, 10).reconstructed, 2 * (64 * 2 + 64 * 64 * 2) + 10 * 2 * 64 * 64);
  // Rank 64 needs twice the dense product, once W is there.
  TensorizedWeight full = random_tensorized_weight({64, 64}, {kTt, {64}, {64}, 1, {64}});
  EXPECT_EQ(forward_for(full, 1), TensorForward::kFactorized);
  EXPECT_EQ(forward_for(full, 1000), TensorForward::kReconstructed);
  full.forward = TensorForward::kFactorized;
  EXPECT_EQ(forward_for(full, 1000), TensorForward::kFactorized);
}

TEST(TensorizedWeight, SizeIsThatOfTheFactorsAndTheLayout) {
  const TensorizedWeight weight = random_tensorized_weight({6, 4}, {kTt, {6}, {4}, 1, {3}});
  const std::uint64_t layout = 8 * (5 + 3);  // two modes and a rank
  EXPECT_EQ(data_bytes(to_record(weight, "w")), layout + 4 * (6 * 3 + 3 * 4));
}

TEST(TensorizedForm, HasNames) {
  EXPECT_EQ(to_string(kCp), "cp");
  EXPECT_EQ(to_string(kTucker), "tucker");
  EXPECT_EQ(to_string(kTt), "tt");
  EXPECT_EQ(to_string(kTtm), "ttm");
}

}  // namespace
}  // namespace pqw
