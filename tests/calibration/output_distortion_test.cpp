#include "calibration/output_distortion.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

InputStatistics held_out(std::size_t cols, std::vector<float> rows) {
  InputStatistics inputs;
  inputs.cols = cols;
  inputs.held_out = std::move(rows);
  return inputs;
}

Distortion distortion_of(const InputStatistics& inputs, const std::vector<float>& original,
                         const std::vector<float>& decoded) {
  return output_distortion(inputs, DType::kF32, std::as_bytes(std::span(original)), DType::kF32,
                           std::as_bytes(std::span(decoded)));
}

// x = (1, 2), (3, 0); W = (1, 1), (2, 0); Ŵ = (1, 0), (2, 1).
// xWᵀ = (3, 2), (3, 6): squared norm 58. xŴᵀ = (1, 4), (3, 6): squared error 4 + 4.
TEST(OutputDistortion, IsThatOfTheOutputsOfHeldOutRows) {
  const Distortion distortion =
      distortion_of(held_out(2, {1, 2, 3, 0}), {1, 1, 2, 0}, {1, 0, 2, 1});
  EXPECT_EQ(distortion.squared_norm(), 58);
  EXPECT_EQ(distortion.squared_error(), 8);
  EXPECT_EQ(distortion.relative_error(), 8.0 / 58);
  EXPECT_EQ(distortion.count(), 4u);
}

TEST(OutputDistortion, ErrorsInColumnsWithoutInputDoNotCount) {
  const Distortion distortion = distortion_of(held_out(2, {1, 0, 3, 0}), {1, 5}, {1, -7});
  EXPECT_EQ(distortion.relative_error(), 0);
}

TEST(OutputDistortion, OfTypesThatDiffer) {
  const std::vector<double> original = {0.5, 0.25};
  const std::vector<std::uint16_t> decoded = {0x3f00, 0};  // 0.5 in bfloat16
  const Distortion distortion =
      output_distortion(held_out(2, {2, 4}), DType::kF64, std::as_bytes(std::span(original)),
                        DType::kBF16, std::as_bytes(std::span(decoded)));
  EXPECT_EQ(distortion.squared_norm(), 4);   // (1 + 1)²
  EXPECT_EQ(distortion.squared_error(), 1);  // 2 - 1
}

TEST(OutputDistortion, OfWeightsWithNaNIsNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(distortion_of(held_out(1, {1}), {1}, {nan}).relative_error()));
}

TEST(OutputDistortion, EqualsANaiveSumOnAnyNumberOfThreads) {
  const int n_threads = omp_get_max_threads();
  for (const std::size_t n_rows : {1, 4, 7, 301}) {
    const std::size_t cols = 37, n = 19;
    const InputStatistics inputs = held_out(cols, test::normal_values(n * cols, 1));
    const std::vector<float> original = test::normal_values(n_rows * cols, 2);
    const std::vector<float> decoded = test::normal_values(n_rows * cols, 3);
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t r = 0; r < n_rows; ++r) {
        double y = 0, difference = 0;
        for (std::size_t c = 0; c < cols; ++c) {
          const double x = inputs.held_out[i * cols + c], w = original[r * cols + c];
          y += x * w;
          difference += x * (w - decoded[r * cols + c]);
        }
        norm += y * y;
        error += difference * difference;
      }
    }
    const Distortion all = distortion_of(inputs, original, decoded);
    EXPECT_NEAR(all.squared_norm(), norm, 1e-12 * norm);
    EXPECT_NEAR(all.squared_error(), error, 1e-12 * error);
    omp_set_num_threads(1);
    const Distortion one = distortion_of(inputs, original, decoded);
    omp_set_num_threads(n_threads);
    EXPECT_EQ(one.squared_error(), all.squared_error());
    EXPECT_EQ(one.squared_norm(), all.squared_norm());
  }
}

}  // namespace
}  // namespace pqw
