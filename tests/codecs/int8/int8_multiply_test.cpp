// Products with int8 weights against the definition, in 64-bit integers and doubles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "codecs/product/activations.h"
#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "tests/support/random_int8_weight.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One row of x quantized as int8_product.cpp says, in double.
struct Reference {
  double scale = 1;
  std::vector<int> values;  // q - z
};

Reference quantize(std::span<const float> row, double lo, double hi, double n_steps = 255) {
  Reference result;
  if (hi > lo) result.scale = (hi - lo) / n_steps;
  const double zero_point = std::nearbyint(-lo / result.scale);
  for (const float value : row) {
    const double q = std::nearbyint(value / result.scale) + zero_point;
    result.values.push_back(static_cast<int>(std::clamp(q, 0.0, n_steps) - zero_point));
  }
  return result;
}

Reference quantize(std::span<const float> row) {
  double lo = 0, hi = 0;
  for (const float value : row) {
    lo = std::min<double>(lo, value);
    hi = std::max<double>(hi, value);
  }
  return quantize(row, lo, hi);
}

// y of one row of x and row r of the weight.
float product(const Int8Weight& w, std::size_t r, const Reference& x) {
  const std::size_t s = w.scales.size() == 1 ? 0 : r;
  const int zero_point = w.zero_points.empty() ? 0 : w.zero_points[s];
  std::int64_t sum = 0;
  for (std::size_t c = 0; c < w.cols(); ++c) {
    sum += x.values[c] * (w.values[r * w.cols() + c] - zero_point);
  }
  return static_cast<float>(static_cast<double>(sum) * (x.scale * w.scales[s]));
}

std::unique_ptr<const Product> product_of(const Int8Weight& w, unsigned input_bits) {
  return make_product(w, {.precision = input_bits == 8 ? Precision::kFast : Precision::kHigh});
}

std::vector<float> multiplied(const Int8Weight& w, const std::vector<float>& x) {
  const std::size_t batch = x.size() / w.cols();
  std::vector<float> y(batch * w.rows(), -1);
  product_of(w, 8)->multiply_rows(0, {x.data(), batch, w.cols()}, {y.data(), batch, w.rows()});
  return y;
}

TEST(Int8Multiply, ByHand) {
  Int8Weight w;
  w.shape = {2, 2};
  w.values = {10, -20, 3, 127};
  w.scales = {0.5f, 2.0f};
  w.zero_points = {0, 27};
  // lo = -51, hi = 204: s = 1, z = 51; both values are exact.
  // y0 = 0.5 (10 * 204 - 20 * -51), y1 = 2 (-24 * 204 + 100 * -51)
  EXPECT_THAT(multiplied(w, {204, -51}), ElementsAre(1530, -19992));
}

TEST(Int8Multiply, AllShapesAndTails) {
  for (const std::size_t rows : {1u, 15u, 16u, 17u, 64u, 70u}) {
    for (const std::size_t cols : {1u, 2u, 3u, 4u, 7u, 64u, 130u}) {
      for (const bool affine : {false, true}) {
        const Int8Weight w = test::random_int8_weight({rows, cols}, affine, rows % 2 == 0);
        for (const std::size_t batch : {1u, 2u, 7u}) {
          const auto x = test::normal_values(batch * cols, static_cast<unsigned>(cols), 0.3f);
          const auto y = multiplied(w, x);
          for (std::size_t i = 0; i < batch; ++i) {
            const Reference q = quantize(std::span(x).subspan(i * cols, cols));
            for (std::size_t r = 0; r < rows; ++r) {
              ASSERT_EQ(y[i * rows + r], product(w, r, q))
                  << rows << " x " << cols << ", row " << r << " of input " << i;
            }
          }
        }
      }
    }
  }
}

// Against the decoded weight in double: half a step of each input times the weight behind it.
TEST(Int8Multiply, ErrorsAreAtMostHalfAStepOfTheInputs) {
  for (const std::size_t rows : {1u, 7u, 100u}) {
    for (const std::size_t cols : {1u, 2u, 16u, 129u, 1030u}) {
      const bool affine = rows % 2 == 1;
      const Int8Weight w = test::random_int8_weight({rows, cols}, affine, cols != 16);
      std::vector<float> dense(rows * cols);
      Int8Codec::decode_rows(w, 0, {dense.data(), rows, cols});
      auto x = test::normal_values(16 * cols, 5);
      for (std::size_t i = cols; i < x.size();
           ++i) {  // from the second on, over nine powers of ten
        x[i] *= std::pow(10.0f, static_cast<float>(i % 10) - 4);
      }
      for (const unsigned bits : {8u, 16u}) {
        const auto product = product_of(w, bits);
        for (const std::size_t batch : {1u, 2u, 7u, 16u}) {
          std::vector<float> y(batch * rows);
          product->multiply_rows(0, {x.data(), batch, cols}, {y.data(), batch, rows});
          for (std::size_t b = 0; b < batch; ++b) {
            const auto row = std::span(x).subspan(b * cols, cols);
            const auto [lo, hi] = std::ranges::minmax(row);
            const double step = (std::max(hi, 0.0f) - std::min(lo, 0.0f)) / std::pow(2.0, bits);
            for (std::size_t r = 0; r < rows; ++r) {
              double expected = 0, sizes = 0;
              for (std::size_t c = 0; c < cols; ++c) {
                expected += static_cast<double>(row[c]) * dense[r * cols + c];
                sizes += std::abs(dense[r * cols + c]);
              }
              // 1.02: of 2^n instead of 2^n - 1 steps, and inputs scaled as floats.
              const double most = 1.02 * step / 2 * sizes + 1e-7 * std::abs(expected);
              ASSERT_LE(std::abs(y[b * rows + r] - expected), most)
                  << rows << " x " << cols << ", " << bits << " bits";
            }
          }
        }
      }
    }
  }
}

TEST(Int8Multiply, MoreInputsThanAreTakenAtOnce) {
  const Int8Weight w = test::random_int8_weight({33, 20}, true);
  const auto x = test::normal_values(203 * 20, 1);
  const auto y = multiplied(w, x);
  for (std::size_t i = 0; i < 203; ++i) {
    const Reference q = quantize(std::span(x).subspan(i * 20, 20));
    for (std::size_t r = 0; r < 33; ++r) ASSERT_EQ(y[i * 33 + r], product(w, r, q));
  }
}

TEST(Int8Multiply, MoreColumnsThanInt32Holds) {
  constexpr std::size_t kCols = 200'003;
  Int8Weight w;
  w.shape = {2, kCols};
  w.values.assign(2 * kCols, -128);
  w.scales = {1.0f};
  std::vector<float> x(kCols, 255.0f);
  x[0] = 254.0f;
  const auto y = multiplied(w, x);
  const double expected = -128.0 * (255.0 * (kCols - 1) + 254);
  EXPECT_EQ(y[0], static_cast<float>(expected));
  EXPECT_EQ(y[1], y[0]);
}

TEST(Int8Multiply, RowsOfTheWeightAloneAreTheSame) {
  const Int8Weight w = test::random_int8_weight({75, 40}, true);
  const auto x = test::normal_values(3 * 40, 2);
  const auto all = multiplied(w, x);
  const auto prepared = product_of(w, 8);
  for (const std::size_t first : {0u, 1u, 15u, 16u, 31u, 60u, 75u}) {
    for (const std::size_t n : {0u, 1u, 14u, 15u}) {
      if (first + n > 75) continue;
      std::vector<float> y(3 * n);
      prepared->multiply_rows(first, {x.data(), 3, 40}, {y.data(), 3, n});
      for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t r = 0; r < n; ++r) ASSERT_EQ(y[i * n + r], all[i * 75 + first + r]);
      }
    }
  }
}

TEST(Int8Multiply, StridesOfInputsAndOutputsAreKept) {
  const Int8Weight w = test::random_int8_weight({20, 10}, false);
  const auto x = test::normal_values(4 * 13, 2);
  std::vector<float> y(4 * 25, -5);
  product_of(w, 8)->multiply_rows(0, {x.data(), 4, 10, 13}, {y.data(), 4, 20, 25});
  for (std::size_t i = 0; i < 4; ++i) {
    const Reference q = quantize(std::span(x).subspan(i * 13, 10));
    for (std::size_t r = 0; r < 20; ++r) ASSERT_EQ(y[i * 25 + r], product(w, r, q));
    for (std::size_t r = 20; r < 25; ++r) ASSERT_EQ(y[i * 25 + r], -5);
  }
}

TEST(Int8Multiply, SameBitsOnAnyNumberOfThreads) {
  const Int8Weight w = test::random_int8_weight({700, 600}, true);
  const auto x = test::normal_values(70 * 600, 2);
  const int n_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto one = multiplied(w, x);
  omp_set_num_threads(5);
  const auto five = multiplied(w, x);
  omp_set_num_threads(n_threads);
  EXPECT_TRUE(one == five);
}

TEST(Int8Multiply, ARowDoesNotDependOnItsBatchUnlessAsked) {
  Int8Weight w = test::random_int8_weight({20, 30}, true);
  auto x = test::normal_values(2 * 30, 2);
  for (std::size_t c = 0; c < 30; ++c) x[c] *= 100;
  const std::vector<float> second(x.begin() + 30, x.end());
  const auto alone = multiplied(w, second);
  auto both = multiplied(w, x);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), both.begin() + 20));

  w.activations = ActivationRange::kBatch;
  both = multiplied(w, x);
  const auto [lo, hi] = std::minmax_element(x.begin(), x.end());
  for (std::size_t i = 0; i < 2; ++i) {
    const Reference q = quantize(std::span(x).subspan(i * 30, 30), *lo, *hi);
    for (std::size_t r = 0; r < 20; ++r) ASSERT_EQ(both[i * 20 + r], product(w, r, q));
  }
}

// |y - Ŵ x| <= s / 2 Σ|Ŵ|: what rounding the inputs can do.
TEST(Int8Multiply, IsWithinTheRoundingOfTheInputs) {
  const Int8Weight w = test::random_int8_weight({50, 300}, true);
  for (const float mean : {0.0f, 2.0f, -2.0f}) {
    const auto x = test::normal_values(300, 4, mean);
    const auto y = multiplied(w, x);
    const double s = quantize(x).scale;
    for (std::size_t r = 0; r < 50; ++r) {
      double exact = 0, magnitude = 0;
      for (std::size_t c = 0; c < 300; ++c) {
        exact += test::element(w, r, c) * x[c];
        magnitude += std::abs(test::element(w, r, c));
      }
      ASSERT_LE(std::abs(y[r] - exact), s / 2 * magnitude * (1 + 1e-5));
    }
  }
}

TEST(Int8Multiply, InputsOf16BitsAreExactProductsOfTwoBytes) {
  Int8Weight w;
  w.shape = {2, 3};
  w.values = {10, -20, 3, 127, -128, 1};
  w.scales = {0.5f, 2.0f};
  w.zero_points = {0, 27};
  // lo = -535, hi = 65000: s = 1, z = 535.
  const std::vector<float> x = {65000, -535, 300};
  std::vector<float> y(2);
  product_of(w, 16)->multiply_rows(0, {x.data(), 1, 3}, {y.data(), 1, 2});
  EXPECT_THAT(
      y, ElementsAre(0.5f * (650000 + 10700 + 900), 2.0f * (100 * 65000 + 155 * 535 - 26 * 300)));
}

TEST(Int8Multiply, InputsOf16BitsAreAHundredTimesAsExact) {
  for (const std::size_t cols : {5u, 300u, 70'001u}) {
    const Int8Weight w = test::random_int8_weight({20, cols}, true);
    const auto prepared = product_of(w, 16);
    const auto x = test::normal_values(29 * cols, 4);
    std::vector<float> y(29 * 20);
    prepared->multiply_rows(0, {x.data(), 29, cols}, {y.data(), 29, 20});
    for (std::size_t i = 0; i < 29; i += 7) {
      const auto row = std::span(x).subspan(i * cols, cols);
      const auto [lo, hi] = std::minmax_element(row.begin(), row.end());
      const double s = quantize(row, *lo, *hi, 65535).scale;
      for (std::size_t r = 0; r < 20; ++r) {
        double exact = 0, magnitude = 0;
        for (std::size_t c = 0; c < cols; ++c) {
          exact += test::element(w, r, c) * row[c];
          magnitude += std::abs(test::element(w, r, c));
        }
        ASSERT_LE(std::abs(y[i * 20 + r] - exact),
                  s / 2 * magnitude * 1.01 + std::abs(exact) * 1e-7);
      }
    }
  }
}

TEST(Int8Multiply, ZerosGiveZerosAndOneSidedRangesKeepThem) {
  const Int8Weight w = test::random_int8_weight({20, 30}, true);
  for (const float y : multiplied(w, std::vector<float>(30))) EXPECT_EQ(y, 0);
  EXPECT_EQ(scale_of_range(3, 5, 255).zero_point, 0);
  EXPECT_EQ(scale_of_range(-5, -3, 255).zero_point, 255);
  EXPECT_EQ(scale_of_range(3, 5, 255).scale, 5.0 / 255);
}

TEST(Int8Multiply, TheSmallestAndLargestInputsAreScaledLikeAnyOther) {
  const Int8Weight w = test::random_int8_weight({20, 4}, true);
  for (const float unit : {std::numeric_limits<float>::denorm_min(), 1e-39f, 1e-30f, 1e30f}) {
    const std::vector<float> x = {204 * unit, 20 * unit, -51 * unit, 0};
    const auto y = multiplied(w, x);
    const Reference q = quantize(x);
    for (std::size_t r = 0; r < 20; ++r) ASSERT_EQ(y[r], product(w, r, q)) << unit;
  }
  constexpr float kMax = std::numeric_limits<float>::max();
  const auto scale = scale_of_range(-kMax, kMax, 255);
  EXPECT_DOUBLE_EQ(scale.scale, 2 * static_cast<double>(kMax) / 255);
  EXPECT_EQ(scale.zero_point, 128);  // 127.5, to even
}

TEST(Int8Multiply, InputsThatAreNotFiniteMakeTheirRangeNaN) {
  Int8Weight w = test::random_int8_weight({20, 40}, true);
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (const std::size_t at : {40u, 59u, 79u}) {
      auto x = test::normal_values(3 * 40, 2);
      const auto good = multiplied(w, x);
      x[at] = bad;
      const auto y = multiplied(w, x);
      for (std::size_t r = 0; r < 20; ++r) {
        EXPECT_EQ(y[r], good[r]);
        EXPECT_TRUE(std::isnan(y[20 + r]));
        EXPECT_EQ(y[40 + r], good[40 + r]);
      }
    }
  }
  w.activations = ActivationRange::kBatch;
  auto x = test::normal_values(2 * 40, 2);
  x[50] = kInfinity;
  const auto y = multiplied(w, x);
  for (std::size_t r = 0; r < 20; ++r) {
    EXPECT_TRUE(std::isfinite(y[r])) << "a finite row gets a range of its own then";
    EXPECT_TRUE(std::isnan(y[20 + r]));
  }
}

TEST(Int8Multiply, EmptyWeightsAndBatches) {
  Int8Weight w;
  w.shape = {3, 0};
  w.scales = {1.0f};
  std::vector<float> y(2 * 3, -1);
  product_of(w, 8)->multiply_rows(0, {nullptr, 2, 0}, {y.data(), 2, 3});
  EXPECT_THAT(y, ElementsAre(0, 0, 0, 0, 0, 0));
  product_of(test::random_int8_weight({3, 4}, false), 8)
      ->multiply_rows(0, {nullptr, 0, 4}, {nullptr, 0, 3});
}

// 2 x 3 values are multiplied sooner than rounded to integers.
TEST(Int8Multiply, TheDecodedWeightIsUsedWhereItIsAllowedAndFaster) {
  const Int8Weight weight = test::random_int8_weight({2, 3}, true);
  const auto dense = make_product(weight, {.memory = ServeMemory::kFastest});
  EXPECT_EQ(dense->describe(8), "dense product");
  EXPECT_EQ(make_product(weight)->describe(8), "int8, inputs in 16 bits");
  std::vector<float> w(6), y(2);
  Int8Codec::decode_rows(weight, 0, {w.data(), 2, 3});
  const std::vector<float> x = {1, -2, 4};
  dense->multiply_rows(0, {x.data(), 1, 3}, {y.data(), 1, 2});
  for (std::size_t r = 0; r < 2; ++r) {
    EXPECT_FLOAT_EQ(y[r], w[3 * r] - 2 * w[3 * r + 1] + 4 * w[3 * r + 2]);
  }
}

}  // namespace
}  // namespace pqw
