// Every instruction set against the same double-precision reference, and against the portable one.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "codecs/active_kernels.h"
#include "codecs/pq/product/batch_lookup_product.h"
#include "codecs/pq/product/decode_product.h"
#include "codecs/pq/product/float_lookup_product.h"
#include "codecs/pq/product/lookup_product.h"
#include "pqw/codecs/kernels.h"
#include "tests/support/bits_digest.h"
#include "tests/support/random_matrix.h"
#include "tests/support/random_pq_weight.h"

namespace pqw {
namespace {

using test::random_pq_weight;

struct Case {
  Shape shape;
  std::size_t d, n_centroids, n_groups, batch;
};

const Case kCases[] = {
    {{1, 1}, 1, 1, 1, 1},        {{3, 5}, 2, 4, 1, 2},        {{64, 64}, 2, 16, 1, 5},
    {{65, 93}, 3, 15, 1, 7},     {{200, 1030}, 4, 16, 1, 9},  {{70, 2000}, 8, 13, 3, 2},
    {{128, 4096}, 8, 256, 1, 3}, {{130, 999}, 9, 256, 4, 17}, {{4200, 24}, 8, 200, 1, 2},
    {{7, 700}, 2, 17, 1, 4},     {{66, 260}, 16, 255, 2, 33}, {{300, 516}, 4, 256, 1, 70},
    {{100, 40}, 4, 300, 1, 3},
};

// ‖y - x Wᵀ‖ / ‖x Wᵀ‖ in double.
double relative_error(const PqWeight& weight, const std::vector<float>& x, std::size_t first,
                      std::size_t batch, const std::vector<float>& y) {
  const std::size_t n = y.size() / batch, cols = weight.cols();
  std::vector<float> w(n * cols);
  PqCodec::decode_rows(weight, first, {w.data(), n, cols});
  double error = 0, norm = 0;
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t r = 0; r < n; ++r) {
      double expected = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        expected += static_cast<double>(x[b * cols + c]) * w[r * cols + c];
      }
      const double difference = y[b * n + r] - expected;
      error += difference * difference;
      norm += expected * expected;
    }
  }
  return std::sqrt(error / norm);
}

class LookupKernel : public testing::TestWithParam<std::string> {
 protected:
  const kernels::Table& table() const { return *kernels::find(GetParam()); }

  std::vector<float> by_lookup(const PqWeight& weight, bool high, const kernels::Table& kernels,
                               const std::vector<float>& x, std::size_t batch,
                               bool parallel = false) const {
    const CodeTiles tiles(weight, kernels.lookup->interleaved_narrow);
    // Leaves some centroids out of the tables, whatever their lengths.
    constexpr double kLongShare = 0.02;
    const LookupProduct product(weight, tiles, high, kLongShare, *kernels.lookup);
    std::vector<float> y(batch * weight.rows(), NAN);
    EXPECT_TRUE(product
                    .multiply(0, {x.data(), batch, weight.cols()}, {y.data(), batch, weight.rows()},
                              parallel)
                    .empty());
    return y;
  }
};

TEST_P(LookupKernel, IntegerTablesAreAsExactAsTheirBits) {
  for (const Case& c : kCases) {
    if (code_width(c.n_centroids) == CodeWidth::kLarge) continue;
    const PqWeight weight = random_pq_weight(c.shape, c.d, c.n_centroids, c.n_groups);
    const auto x = test::normal_values(c.batch * weight.cols(), 5);
    for (const bool high : {true, false}) {
      const auto y = by_lookup(weight, high, table(), x, c.batch);
      EXPECT_LE(relative_error(weight, x, 0, c.batch, y), high ? 1e-4 : 1.5e-2)
          << to_string(c.shape) << " d " << c.d << " K " << c.n_centroids << " high " << high;
    }
  }
}

TEST_P(LookupKernel, IntegerTablesGiveTheBitsOfThePortableOnes) {
  for (const Case& c : kCases) {
    if (code_width(c.n_centroids) == CodeWidth::kLarge) continue;
    const PqWeight weight = random_pq_weight(c.shape, c.d, c.n_centroids, c.n_groups);
    const auto x = test::normal_values(c.batch * weight.cols(), 6);
    for (const bool high : {true, false}) {
      const auto y = by_lookup(weight, high, table(), x, c.batch);
      EXPECT_TRUE(y == by_lookup(weight, high, *kernels::find("portable"), x, c.batch))
          << to_string(c.shape) << " d " << c.d << " K " << c.n_centroids << " high " << high;
    }
  }
}

// Multiples of 1/64 below 2, the same on every machine.
std::vector<float> exact_values(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(random() % 255) / 64 - 127.0f / 64;
  return values;
}

// The digests were recorded on x86-64, where all sets of instructions agree.
TEST_P(LookupKernel, IntegerTablesGiveTheBitsOfOtherProcessors) {
  struct Recorded {
    std::size_t n_centroids, d;
    std::uint64_t high, fast, side_by_side;
  };
  const Recorded recorded[] = {
      {16, 4, 8077110125314755095u, 3564202122178404985u, 0},
      {13, 3, 16771383846249222904u, 7464450232680591189u, 0},
      {256, 8, 1617775894936341351u, 17127701116537551884u, 6735371480979512671u},
      {200, 5, 13234652890965740284u, 12418634890130001008u, 2757993452020852187u}};
  for (const Recorded& r : recorded) {
    PqWeight weight = random_pq_weight({150, 1030}, r.d, r.n_centroids);
    weight.codebooks = exact_values(weight.codebooks.size(), 8);
    const std::size_t batch = 3;
    const auto x = exact_values(batch * weight.cols(), 9);
    for (const bool high : {true, false}) {
      const std::vector<float> y = by_lookup(weight, high, table(), x, batch);
      EXPECT_EQ(test::bits_digest<float>(y), high ? r.high : r.fast)
          << "K " << r.n_centroids << " high " << high;
    }
    if (r.n_centroids <= kernels::kNarrowCentroids) continue;
    const CodeTiles tiles(weight, table().lookup->interleaved_narrow);
    const OutlierCentroids no_outliers(weight, 0);
    std::vector<float> y(batch * weight.rows());
    BatchLookupProduct(weight, tiles, no_outliers, *table().lookup)
        .multiply(0, {x.data(), batch, weight.cols()}, {y.data(), batch, weight.rows()}, false);
    EXPECT_EQ(test::bits_digest<float>(y), r.side_by_side) << "K " << r.n_centroids;
  }
}

TEST_P(LookupKernel, TablesSideBySideAreFinerThanBytesAndHaveTheBitsOfThePortableOnes) {
  for (const Case& c : kCases) {
    if (code_width(c.n_centroids) != CodeWidth::kWide) continue;
    const PqWeight weight = random_pq_weight(c.shape, c.d, c.n_centroids, c.n_groups);
    const std::size_t rows = weight.rows(), cols = weight.cols();
    const auto x = test::normal_values(c.batch * cols, 5);
    const OutlierCentroids outlier_centroids(weight, 0.02);
    const auto multiply = [&](const kernels::Table& kernels, std::size_t n_rows) {
      const CodeTiles tiles(weight, kernels.lookup->interleaved_narrow);
      const BatchLookupProduct product(weight, tiles, outlier_centroids, *kernels.lookup);
      std::vector<float> y(c.batch * rows, NAN);
      for (std::size_t b = 0; b < c.batch; b += n_rows) {
        const std::size_t n = std::min(n_rows, c.batch - b);
        EXPECT_TRUE(
            product.multiply(0, {&x[b * cols], n, cols}, {&y[b * rows], n, rows}, false).empty());
      }
      return y;
    };
    const auto y = multiply(table(), c.batch);
    EXPECT_LE(relative_error(weight, x, 0, c.batch, y), 3e-3)
        << to_string(c.shape) << " d " << c.d << " K " << c.n_centroids;
    EXPECT_TRUE(y == multiply(table(), 5)) << "by fewer rows, " << to_string(c.shape);
    EXPECT_TRUE(y == multiply(*kernels::find("portable"), c.batch)) << to_string(c.shape);
  }
}

// The largest products there are, all of a sign: the sums of a group fill their words.
TEST_P(LookupKernel, SumsOfTablesSideBySideDoNotOverflow) {
  for (const std::size_t d : {1, 2, 9, 64}) {
    PqWeight weight = random_pq_weight({64, 96 * d}, d, 17);
    std::ranges::fill(weight.codebooks, 1.0f);
    const OutlierCentroids outlier_centroids(weight, 0);
    const CodeTiles tiles(weight, table().lookup->interleaved_narrow);
    const BatchLookupProduct product(weight, tiles, outlier_centroids, *table().lookup);
    for (const float value : {1.0f, -1.0f}) {
      const std::vector<float> x(3 * 96 * d, value);
      std::vector<float> y(3 * 64);
      product.multiply(0, {x.data(), 3, 96 * d}, {y.data(), 3, 64}, false);
      for (const float sum : y) {
        ASSERT_NEAR(sum / (value * 96 * static_cast<float>(d)), 1, 5e-3) << d;
      }
    }
  }
}

TEST_P(LookupKernel, FloatTablesAndDecodeProductsAreExact) {
  for (const Case& c : kCases) {
    const PqWeight weight = random_pq_weight(c.shape, c.d, c.n_centroids, c.n_groups);
    const auto x = test::normal_values(c.batch * weight.cols(), 7);
    const CodeTiles tiles(weight, table().lookup->interleaved_narrow);
    const FloatLookupProduct product(weight, tiles, *table().product, *table().lookup);
    const ConstMatrix x_view{x.data(), c.batch, weight.cols()};
    std::vector<float> y(c.batch * weight.rows(), NAN);
    const MutableMatrix y_view{y.data(), c.batch, weight.rows()};
    product.multiply(0, x_view, y_view, false);
    EXPECT_LE(relative_error(weight, x, 0, c.batch, y), 3e-6) << to_string(c.shape);
    DecodeProduct(weight, tiles, *table().product, DecodeProduct::Operand::kFloat)
        .multiply(0, x_view, y_view, false);
    EXPECT_LE(relative_error(weight, x, 0, c.batch, y), 3e-6) << to_string(c.shape);
    if (table().product->multiply_decoded_bfloat16 == nullptr) continue;
    DecodeProduct(weight, tiles, *table().product, DecodeProduct::Operand::kBfloat16)
        .multiply(0, x_view, y_view, false);
    // Both factors of a product are off by 2^-9 at most, and a sum of products by no more than
    // twice that of the sum of their magnitudes; in the norm, over many products, by far less.
    EXPECT_LE(relative_error(weight, x, 0, c.batch, y), 4e-3) << to_string(c.shape);
  }
}

TEST_P(LookupKernel, FloatTablesOfARowAloneHaveTheBitsOfRowsSideBySide) {
  for (const Case& c : kCases) {
    const PqWeight weight = random_pq_weight(c.shape, c.d, c.n_centroids, c.n_groups);
    const std::size_t cols = weight.cols(), first = c.shape[0] / 3, n = c.shape[0] - first;
    constexpr std::size_t kBatch = 32;  // full vectors: a row alone takes longer
    const auto x = test::normal_values(kBatch * cols, 7);
    const CodeTiles tiles(weight, table().lookup->interleaved_narrow);
    std::vector<float> expected(kBatch * n, NAN);
    FloatLookupProduct(weight, tiles, *table().product, *table().lookup)
        .multiply(first, {x.data(), kBatch, cols}, {expected.data(), kBatch, n}, false);
    const FloatRowProduct product(weight, tiles, *table().product, *table().lookup);
    for (const bool parallel : {false, true}) {
      std::vector<float> y(kBatch * n, NAN);
      for (std::size_t b = 0; b < kBatch; ++b) {
        product.multiply(first, &x[b * cols], {&y[b * n], 1, n}, parallel);
      }
      EXPECT_TRUE(y == expected) << to_string(c.shape) << " d " << c.d << " K " << c.n_centroids;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, LookupKernel, testing::ValuesIn(available_kernels()),
                         [](const auto& test_case) { return test_case.param; });

}  // namespace
}  // namespace pqw
