// Products from centroids of 8 bits: the kernels against plain loops, and rows of x that 8 bits
// cannot hold.
#include <gtest/gtest.h>

#include <cmath>

#include "codecs/active_kernels.h"
#include "codecs/pq/product/pq_product.h"
#include "pqw/codecs/kernels.h"
#include "tests/support/random_int8_weight.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using kernels::kPanelColumns;
using kernels::kPanelRows;
using kernels::kTileRows;

class Int8DecodeKernel : public testing::TestWithParam<std::string> {};

TEST_P(Int8DecodeKernel, PutsTheBytesOfCentroidsIntoPanels) {
  for (const std::size_t d : {1u, 2u, 3u, 4u, 5u, 6u, 8u, 12u, 16u}) {
    for (const unsigned n_centroids : {1u, 16u, 128u, 256u}) {
      constexpr std::size_t kPositions = 8;
      const auto first = test::random_int8(256 * d, 1), second = test::random_int8(256 * d, 2);
      std::vector<std::int8_t> planes[2];
      std::vector<const std::int8_t*> centroids, planes_of;
      for (const auto* book : {&first, &second}) {
        auto& transposed = planes[book == &second];
        transposed.resize(256 * d);
        for (std::size_t i = 0; i < 256 * d; ++i) transposed[i % d * 256 + i / d] = (*book)[i];
      }
      for (std::size_t p = 0; p < kPositions; ++p) {
        centroids.push_back(p < 3 ? first.data() : second.data());
        planes_of.push_back(planes[p < 3 ? 0 : 1].data());
      }
      std::mt19937 random(3);
      std::vector<std::uint8_t> codes(kPositions * kTileRows);
      for (auto& code : codes) code = static_cast<std::uint8_t>(random() % n_centroids);
      const std::size_t n_columns = kPositions * d, stride = n_columns * kPanelRows + 7;
      std::vector<std::int8_t> panels(4 * stride, 99);
      kernels::find(GetParam())
          ->int8.decode(
              {codes.data(), n_columns, d, centroids.data(), planes_of.data(), n_centroids <= 128},
              panels.data(), stride);
      for (std::size_t r = 0; r < kTileRows; ++r) {
        for (std::size_t c = 0; c < n_columns; ++c) {
          const std::size_t p = c / d;
          const std::int8_t expected = centroids[p][codes[p * kTileRows + r] * d + c % d];
          const std::size_t at = r / kPanelRows * stride +
                                 (c / kPanelColumns * kPanelRows + r % kPanelRows) * kPanelColumns +
                                 c % kPanelColumns;
          ASSERT_EQ(panels[at], expected) << "d " << d << " row " << r << " column " << c;
        }
      }
      for (std::size_t panel = 0; panel < 4; ++panel) {
        for (std::size_t i = n_columns * kPanelRows; i < stride; ++i) {
          ASSERT_EQ(panels[panel * stride + i], 99) << "past the panel";
        }
      }
    }
  }
}

class Int8RowsKernel : public testing::TestWithParam<std::string> {};

TEST_P(Int8RowsKernel, RoundsValuesToIntegersAndSumsToFloats) {
  const kernels::Int8RowKernels& rows = *kernels::find(GetParam())->int8.rows;
  for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 63u, 64u, 65u, 200u}) {
    const std::vector<float> x = test::normal_values(n, 7);
    float lo = 0, hi = 0;
    double squares = 0;
    for (const float value : x) {
      lo = std::min(lo, value);
      hi = std::max(hi, value);
      squares += static_cast<double>(value) * value;
    }
    const kernels::RowRange range = rows.range(x.data(), n);
    EXPECT_EQ(range.lo, lo);
    EXPECT_EQ(range.hi, hi);
    EXPECT_EQ(range.probe, 0);
    EXPECT_NEAR(range.squares, squares, 1e-12 * squares);

    // 1 / 16 is exact: values are rounded as in double.
    const auto expected = [](float value, double most) {
      return std::clamp(std::nearbyint(value * 16.0), -100.0, most - 100) + 100;
    };
    std::vector<std::uint8_t> low(n + 1, 77), high(n + 1, 77);
    std::uint64_t sum = 0;
    for (const float value : x) sum += static_cast<std::uint64_t>(expected(value, 255));
    EXPECT_EQ(rows.to_bytes(x.data(), n, {1, 16, -100, 155, 100}, low.data()), sum);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(low[i], expected(x[i], 255));
    EXPECT_EQ(rows.to_words(x.data(), n, {1, 16, -100, 65435, 100}, low.data(), high.data()), sum);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(low[i] + 256 * high[i], expected(x[i], 65535));
    EXPECT_EQ(low[n], 77);
    EXPECT_EQ(high[n], 77);

    std::vector<std::int32_t> sums(n), row_sums(n);
    std::vector<float> y(n + 1, 5);
    for (std::size_t i = 0; i < n; ++i) {
      sums[i] = static_cast<std::int32_t>(1000 * x[i]);
      row_sums[i] = static_cast<std::int32_t>(i) - 9;
    }
    rows.to_floats(sums.data(), row_sums.data(), n, 3, 0.25f, y.data());
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(y[i], static_cast<float>(sums[i] - 3 * row_sums[i]) / 4);
    }
    EXPECT_EQ(y[n], 5);

    const std::vector<double> scales(n, 0.5), zero_points(n, 7), row_totals(n, 11);
    kernels::Int8Sums<std::int32_t> scaled{.low = sums.data(),
                                           .high = nullptr,
                                           .zero_points = nullptr,
                                           .row_sums = row_totals.data(),
                                           .scales = scales.data(),
                                           .n = n,
                                           .x_sum = 13,
                                           .x_zero_point = 3,
                                           .x_scale = 2};
    rows.scaled_to_floats(scaled, y.data());
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(y[i], static_cast<float>(sums[i] - 33));
    scaled.high = row_sums.data();
    scaled.zero_points = zero_points.data();
    rows.scaled_to_floats(scaled, y.data());
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(y[i], static_cast<float>(sums[i] + 256 * row_sums[i] - 13 * 7 - 33));
    }
    EXPECT_EQ(y[n], 5);
  }
}

TEST_P(Int8RowsKernel, ValuesThatAreNotFiniteShow) {
  const kernels::Int8RowKernels& rows = *kernels::find(GetParam())->int8.rows;
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    for (const std::size_t at : {0u, 31u, 40u}) {
      std::vector<float> x(41, 1);
      x[at] = bad;
      EXPECT_TRUE(std::isnan(rows.range(x.data(), x.size()).probe)) << bad << " at " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Int8DecodeKernel, testing::ValuesIn(available_kernels()),
                         [](const auto& test_case) { return test_case.param; });
INSTANTIATE_TEST_SUITE_P(Isa, Int8RowsKernel, testing::ValuesIn(available_kernels()),
                         [](const auto& test_case) { return test_case.param; });

// The large value takes the range: the others would have a bit each.
TEST(DecodeInt8, ARowWithAnOutlierIsAsExactAsPromised) {
  const PqWeight weight = test::random_pq_weight({128, 512}, 8, 256);
  const PqProduct product(weight,
                          {.precision = Precision::kFast, .method = ServeMethod::kDecodeInt8});
  ASSERT_TRUE(product.describe(3).starts_with("decode-int8"));
  auto x = test::normal_values(3 * 512, 5);
  x[512 + 17] = 300;
  std::vector<float> y(3 * 128);
  product.multiply_rows(0, {x.data(), 3, 512}, {y.data(), 3, 128});
  for (std::size_t b = 0; b < 3; ++b) {
    double error = 0, norm = 0;
    for (std::size_t r = 0; r < 128; ++r) {
      double expected = 0;
      for (std::size_t c = 0; c < 512; ++c) {
        const double term = x[b * 512 + c] * test::element(weight, r, c);
        expected += term;
        norm += term * term;
      }
      error += std::pow(y[b * 128 + r] - expected, 2);
    }
    EXPECT_LE(std::sqrt(error / norm), b == 1 ? 1e-5 : 1.5 * 1.5e-2) << b;
  }
}

TEST(DecodeInt8, CodesOfTwoBytesAreAsExactAsPromised) {
  for (const std::size_t d : {2u, 3u, 4u}) {
    const PqWeight weight = test::random_pq_weight({130, 510}, d, 1000, 2);
    const PqProduct product(weight,
                            {.precision = Precision::kFast, .method = ServeMethod::kDecodeInt8});
    ASSERT_TRUE(product.describe(3).starts_with("decode-int8")) << d;
    const auto x = test::normal_values(510, 5);
    std::vector<float> y(130);
    product.multiply_rows(0, {x.data(), 1, 510}, {y.data(), 1, 130});
    double error = 0, norm = 0;
    for (std::size_t r = 0; r < 130; ++r) {
      double expected = 0;
      for (std::size_t c = 0; c < 510; ++c) expected += x[c] * test::element(weight, r, c);
      error += std::pow(y[r] - expected, 2);
      norm += expected * expected;
    }
    EXPECT_LE(std::sqrt(error / norm), 1.5 * 1.5e-2) << d;
  }
}

TEST(DecodeInt8, OnlyFastProductsHaveIt) {
  const auto described = [](std::size_t n_centroids, Precision precision) {
    const PqWeight weight = test::random_pq_weight({128, 512}, 8, n_centroids);
    return PqProduct(weight, {.precision = precision, .method = ServeMethod::kDecodeInt8})
        .describe(32);
  };
  EXPECT_EQ(described(256, Precision::kFast), "decode-int8, int8, " + kernel_name());
  EXPECT_EQ(described(257, Precision::kFast), "decode-int8, int8, " + kernel_name());
  EXPECT_EQ(described(256, Precision::kHigh), "decode, float32, " + kernel_name());
}

}  // namespace
}  // namespace pqw
