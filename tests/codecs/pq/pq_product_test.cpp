#include "codecs/pq/product/pq_product.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "pqw/codecs/kernels.h"
#include "tests/support/random_matrix.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using test::random_pq_weight;

constexpr Precision kPrecisions[] = {Precision::kExact, Precision::kHigh, Precision::kFast};
constexpr ServeMethod kMethods[] = {ServeMethod::kAuto,        ServeMethod::kLookup,
                                    ServeMethod::kBatchLookup, ServeMethod::kDecode,
                                    ServeMethod::kDecodeBf16,  ServeMethod::kDecodeInt8};
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double bound(Precision precision) {
  if (precision == Precision::kExact) return 3e-6;
  return precision == Precision::kHigh ? 1e-4 : 1.5e-2;
}

std::vector<float> product(const PqProduct& lookup, const std::vector<float>& x) {
  const std::size_t batch = x.size() / lookup.cols();
  std::vector<float> y(batch * lookup.rows(), NAN);
  lookup.multiply_rows(0, {x.data(), batch, lookup.cols()}, {y.data(), batch, lookup.rows()});
  return y;
}

// x Wᵀ in double.
std::vector<double> reference(const PqWeight& weight, const std::vector<float>& x) {
  const std::size_t rows = weight.rows(), cols = weight.cols();
  std::vector<float> w(rows * cols);
  PqCodec::decode_rows(weight, 0, {w.data(), rows, cols});
  std::vector<double> y(x.size() / cols * rows);
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t c = 0; c < cols; ++c) {
      y[i] += static_cast<double>(x[i / rows * cols + c]) * w[i % rows * cols + c];
    }
  }
  return y;
}

TEST(PqProduct, EveryMethodIsAsExactAsThePrecisionSays) {
  struct Case {
    std::size_t rows, cols, d, n_centroids, n_groups;
    bool row_scales = false;
  };
  for (const Case& c : {Case{100, 300, 8, 256, 1}, Case{70, 130, 4, 16, 3}, Case{65, 200, 3, 9, 1},
                        Case{20, 90, 2, 300, 2}, Case{9, 5, 8, 16, 1}, Case{130, 64, 1, 256, 1},
                        Case{100, 300, 8, 256, 2, true}, Case{70, 130, 4, 16, 1, true}}) {
    PqWeight weight = random_pq_weight({c.rows, c.cols}, c.d, c.n_centroids, c.n_groups);
    if (c.row_scales) weight = test::with_row_scales(std::move(weight));
    for (const std::size_t batch : {1u, 3u, 20u}) {
      const auto x = test::normal_values(batch * c.cols, 5);
      const auto expected = reference(weight, x);
      for (const Precision precision : kPrecisions) {
        for (const ServeMethod method : kMethods) {
          const PqProduct lookup(weight, {precision, method});
          EXPECT_LE(test::relative_error(product(lookup, x), expected), bound(precision))
              << c.rows << " x " << c.cols << " K " << c.n_centroids << " batch " << batch << " "
              << to_string(precision) << ": " << lookup.describe(batch);
        }
      }
    }
  }
}

TEST(PqProduct, RowRangesThreadsAndBatchesDoNotChangeTheBits) {
  const PqWeight weight = random_pq_weight({1100, 200}, 8, 256);
  const std::size_t cols = 200, batch = 19;
  const auto x = test::normal_values(batch * cols, 5);
  for (const Precision precision : kPrecisions) {
    for (const ServeMethod method : {ServeMethod::kLookup, ServeMethod::kBatchLookup,
                                     ServeMethod::kDecode, ServeMethod::kDecodeInt8}) {
      const PqProduct lookup(weight, {precision, method});
      omp_set_num_threads(1);
      const auto expected = product(lookup, x);
      for (const int threads : {2, 3}) {
        omp_set_num_threads(threads);
        EXPECT_TRUE(product(lookup, x) == expected) << lookup.describe(batch);
      }
      std::vector<float> part(2 * 131);
      lookup.multiply_rows(901, {x.data() + 7 * cols, 2, cols}, {part.data(), 2, 131});
      for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t r = 0; r < 131; ++r) {
          ASSERT_EQ(part[b * 131 + r], expected[(7 + b) * 1100 + 901 + r])
              << lookup.describe(batch);
        }
      }
    }
  }
  omp_set_num_threads(omp_get_num_procs());
}

TEST(PqProduct, ViewsMayHaveAStride) {
  const PqWeight weight = random_pq_weight({70, 64}, 4, 16);
  const auto x = test::normal_values(3 * 100, 5);
  for (const ServeMethod method : kMethods) {
    const PqProduct lookup(weight, {.method = method});
    std::vector<float> y(3 * 90, 7.0f), alone(70);
    lookup.multiply_rows(0, {x.data(), 3, 64, 100}, {y.data(), 3, 70, 90});
    lookup.multiply_rows(0, {x.data() + 200, 1, 64}, {alone.data(), 1, 70});
    for (std::size_t r = 0; r < 70; ++r) EXPECT_NEAR(y[180 + r], alone[r], 1e-2f);
    for (std::size_t r = 70; r < 90; ++r) EXPECT_EQ(y[r], 7.0f);
  }
}

TEST(PqProduct, ZerosGiveZeros) {
  const PqWeight weight = random_pq_weight({70, 600}, 8, 256);
  auto half = test::normal_values(600, 5);
  for (std::size_t c = 0; c < 300; ++c) half[c] = 0;
  for (const Precision precision : kPrecisions) {
    const PqProduct lookup(weight, {.precision = precision});
    EXPECT_EQ(product(lookup, std::vector<float>(600)), std::vector<float>(70));
    EXPECT_LE(test::relative_error(product(lookup, half), reference(weight, half)),
              bound(precision));
  }
  PqWeight zero = weight;
  for (float& value : zero.codebooks) value = 0;
  for (const Precision precision : kPrecisions) {
    EXPECT_EQ(product(PqProduct(zero, {.precision = precision}), half), std::vector<float>(70));
  }
}

// Where the scale of integer tables is no normal float, and where it nearly is not.
TEST(PqProduct, LargeAndSmallValuesKeepThePrecision) {
  const PqWeight weight = random_pq_weight({100, 512}, 8, 256);
  for (const float size : {1e-44f, 1e-40f, 1e-37f, 1e-33f, 1e-30f, 1e30f, 1e34f, 1e36f}) {
    const auto x = test::normal_values(512, 5, 0, size);
    const auto expected = reference(weight, x);
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    ASSERT_LT(largest, std::numeric_limits<float>::max());
    for (const Precision precision : kPrecisions) {
      const auto y = product(PqProduct(weight, {.precision = precision}), x);
      // Products and sums below the smallest normal float are rounded to multiples of 1.4e-45.
      const double rounding = 512 * 1.4e-45 * 10 / largest;
      EXPECT_LE(test::relative_error(y, expected), bound(precision) + rounding) << size;
    }
  }
}

TEST(PqProduct, OutliersCostNoMoreThanTheyWeigh) {
  const PqWeight weight = random_pq_weight({200, 4096}, 8, 256);
  auto x = test::normal_values(4096, 5);
  for (std::size_t c = 0; c < 4096; c += 512) x[c] *= 30;
  const auto expected = reference(weight, x);
  const auto high = product(PqProduct(weight, {.precision = Precision::kHigh}), x);
  const auto fast = product(PqProduct(weight, {.precision = Precision::kFast}), x);
  EXPECT_LE(test::relative_error(high, expected), 6e-4);
  EXPECT_LE(test::relative_error(fast, expected), 1e-1);
}

// Trained weights have a few centroids far longer than the others, which few blocks have.
TEST(PqProduct, OutlierCentroidsDoNotCostPrecision) {
  for (const float length : {1.0f, 30.0f, 1000.0f}) {
    PqWeight weight = random_pq_weight({100, 512}, 8, 256);
    for (std::size_t j = 0; j < 8; ++j) weight.codebooks[j] *= length;
    for (std::size_t i = 500; i < weight.codes.size(); ++i) weight.codes[i] |= 1;  // not 0
    const auto x = test::normal_values(512, 5);
    const auto expected = reference(weight, x);
    for (const Precision precision : kPrecisions) {
      for (const ServeMethod method : kMethods) {
        const PqProduct lookup(weight, {precision, method});
        EXPECT_LE(test::relative_error(product(lookup, x), expected), documented_error(precision))
            << lookup.describe(1) << " " << length;
      }
    }
  }
}

TEST(PqProduct, CodesOfFewOutlierCentroidsAreComputedBesideIntegerTables) {
  PqWeight weight = random_pq_weight({150, 516}, 8, 256, 2);
  for (const std::size_t k : {7, 300}) {
    for (std::size_t j = 0; j < 8; ++j) weight.codebooks[k * 8 + j] *= 1000;
  }
  for (std::uint16_t& code : weight.codes) code |= 64;  // neither 7 nor 300 - 256
  for (std::size_t i = 3; i < weight.codes.size(); i += 997) {
    weight.codes[i] = i / 150 < weight.positions() / 2 ? 7 : 300 - 256;
  }
  const auto x = test::normal_values(3 * 516, 5);
  for (const Precision precision : {Precision::kHigh, Precision::kFast}) {
    const PqProduct lookup(weight, {precision, ServeMethod::kLookup});
    EXPECT_EQ(lookup.method(1), ServeMethod::kLookup);
    const auto y = product(lookup, x);
    EXPECT_LE(test::relative_error(y, reference(weight, x)), bound(precision) / 10)
        << "outliers weigh most and are exact";
    std::vector<float> rows(3 * 70);
    lookup.multiply_rows(65, {x.data(), 3, 516}, {rows.data(), 3, 70});
    for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], y[i / 70 * 150 + 65 + i % 70]);
  }
}

TEST(PqProduct, RowsThatAreNotFiniteAreComputedAsFloatsAndDisturbNoOthers) {
  const PqWeight weight = random_pq_weight({70, 256}, 8, 256);
  auto x = test::normal_values(6 * 256, 5);
  x[1 * 256 + 3] = kInfinity;
  x[2 * 256 + 255] = -kInfinity;
  x[4 * 256] = NAN;
  for (const Precision precision : kPrecisions) {
    for (const ServeMethod method : kMethods) {
      const PqProduct lookup(weight, {precision, method});
      const auto y = product(lookup, x);
      const auto expected = reference(weight, x);
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (std::isnan(expected[i])) {
          ASSERT_TRUE(std::isnan(y[i])) << i << lookup.describe(6);
        } else if (std::isinf(expected[i])) {
          ASSERT_EQ(y[i], expected[i]) << i << lookup.describe(6);
        } else {
          ASSERT_NEAR(y[i], expected[i], 1.5) << i << lookup.describe(6);
        }
      }
    }
  }
}

TEST(PqProduct, ChoicesCanBeForcedAndSeen) {
  const PqWeight weight = random_pq_weight({256, 256}, 8, 256);
  const PqProduct lookup(weight, {Precision::kFast, ServeMethod::kLookup});
  EXPECT_EQ(lookup.method(1000), ServeMethod::kLookup);
  EXPECT_EQ(lookup.describe(1), "lookup, 8-bit tables, " + kernel_name());
  const PqProduct direct(weight, {Precision::kExact, ServeMethod::kDecode});
  EXPECT_EQ(direct.describe(1), "decode, float32, " + kernel_name());
  // There are no integer tables for large codes, and no exact ones.
  EXPECT_EQ(PqProduct(weight, {Precision::kExact, ServeMethod::kLookup}).method(1),
            ServeMethod::kBatchLookup);
  const PqWeight large = random_pq_weight({256, 256}, 8, 257);
  EXPECT_EQ(PqProduct(large, {Precision::kFast, ServeMethod::kLookup}).method(1),
            ServeMethod::kBatchLookup);
  EXPECT_NE(PqProduct(weight, {}).method(1), ServeMethod::kAuto);
}

TEST(PqProduct, EmptySidesGiveZerosOrNothing) {
  std::vector<float> y(3, 7.0f);
  PqProduct(random_pq_weight({3, 0}, 4, 2), {}).multiply_rows(0, {nullptr, 1, 0}, {y.data(), 1, 3});
  EXPECT_EQ(y, std::vector<float>(3));
  const std::vector<float> x(4);
  PqProduct(random_pq_weight({0, 4}, 4, 2), {}).multiply_rows(0, {x.data(), 1, 4}, {nullptr, 1, 0});
  PqProduct(random_pq_weight({3, 4}, 4, 2), {}).multiply_rows(0, {nullptr, 0, 4}, {nullptr, 0, 3});
}

TEST(PqProduct, TheDecodedWeightIsHeldOnlyWhereItIsAllowedAndFaster) {
  // 64 rows are fewer than the centroids, whose tables would cost more than the product.
  const PqWeight small = test::with_row_scales(random_pq_weight({64, 64}, 4, 256));
  const ServeOptions fastest{.precision = Precision::kExact, .memory = ServeMemory::kFastest};
  const PqWeight large = random_pq_weight({2048, 512}, 8, 256);
  EXPECT_NE(PqProduct(large, fastest).method(1), ServeMethod::kDense);
  const PqProduct dense(small, fastest);
  EXPECT_EQ(dense.describe(64), "dense, float32, " + kernel_name());
  const auto x = test::normal_values(5 * 64, 5);
  const auto y = product(dense, x);
  EXPECT_LE(test::relative_error(y, reference(small, x)), bound(Precision::kExact));
  std::vector<float> part(3 * 20);
  dense.multiply_rows(31, {x.data(), 3, 64}, {part.data(), 3, 20});
  for (std::size_t r = 0; r < 20; ++r) EXPECT_NEAR(part[40 + r], y[2 * 64 + 31 + r], 1e-4f);
  // Asked for by name, but not allowed.
  EXPECT_EQ(PqProduct(small, {.method = ServeMethod::kDense}).method(8), ServeMethod::kDecode);
}

}  // namespace
}  // namespace pqw
