#include "pqw/core/output_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace pqw {
namespace {

TEST(OutputError, ByHand) {
  const std::vector<float> w{1, 2, 0, 3}, w_hat{1, 1, 0, 3}, x{1, 1, 2, 0, 0, -1};
  // Outputs of w: (3, 3), (2, 0), (-2, -3); they change by (1, 0), (0, 0), (-1, 0).
  EXPECT_DOUBLE_EQ(output_error({w.data(), 2, 2}, {w_hat.data(), 2, 2}, {x.data(), 3, 2}), 2. / 35);
  EXPECT_EQ(output_error({w.data(), 2, 2}, {w.data(), 2, 2}, {x.data(), 3, 2}), 0);
}

TEST(OutputError, SumsOfSeveralLayers) {
  const std::vector<float> w{1, 2, 0, 3}, w_hat{1, 1, 0, 3}, x{1, 1, 2, 0, 0, -1};
  OutputError sum = measure_outputs({w.data(), 2, 2}, {w_hat.data(), 2, 2}, {x.data(), 3, 2});
  EXPECT_EQ(sum.squared_error, 2);
  EXPECT_EQ(sum.squared_norm, 35);
  sum.add({.squared_error = 1, .squared_norm = 5});
  EXPECT_DOUBLE_EQ(sum.relative(), 3. / 40);
}

TEST(OutputError, GroupsOfRowsSeeTheirOwnColumns) {
  const std::vector<float> w{1, 2, 3, 4}, w_hat{1, 1, 3, 5}, x{1, 2, 3, 4};
  // Row 0 sees (1, 2), row 1 sees (3, 4): outputs 5 and 25, changed by 2 and 4.
  const OutputError sum = measure_outputs({w.data(), 2, 2}, {w_hat.data(), 2, 2}, {x.data(), 1, 4});
  EXPECT_EQ(sum.squared_error, 4 + 16);
  EXPECT_EQ(sum.squared_norm, 25 + 625);
}

TEST(OutputError, OutputsOfZero) {
  const std::vector<float> w{0, 1}, w_hat{1, 1}, x{1, 0};
  EXPECT_TRUE(std::isinf(output_error({w.data(), 1, 2}, {w_hat.data(), 1, 2}, {x.data(), 1, 2})));
  EXPECT_EQ(output_error({w.data(), 1, 2}, {w_hat.data(), 1, 2}, {x.data(), 0, 2}), 0)
      << "there are no inputs";
}

TEST(OutputError, MatchesAPlainLoop) {
  constexpr std::size_t kRows = 130, kCols = 17, kInputs = 67;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> w(kRows * kCols), w_hat(kRows * kCols), x(kInputs * kCols);
  for (auto* values : {&w, &w_hat, &x}) {
    for (float& value : *values) value = normal(random);
  }
  double error = 0, output = 0;
  for (std::size_t i = 0; i < kInputs; ++i) {
    for (std::size_t r = 0; r < kRows; ++r) {
      double y = 0, y_hat = 0;
      for (std::size_t c = 0; c < kCols; ++c) {
        y += double{w[r * kCols + c]} * x[i * kCols + c];
        y_hat += double{w_hat[r * kCols + c]} * x[i * kCols + c];
      }
      error += (y - y_hat) * (y - y_hat);
      output += y * y;
    }
  }
  EXPECT_NEAR(output_error({w.data(), kRows, kCols}, {w_hat.data(), kRows, kCols},
                           {x.data(), kInputs, kCols}),
              error / output, 1e-12);
}

}  // namespace
}  // namespace pqw
