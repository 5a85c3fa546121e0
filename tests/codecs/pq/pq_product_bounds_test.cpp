// The documented errors of products with product-quantized weights, over small and lopsided shapes.
#include <gtest/gtest.h>
#include <omp.h>

#include <array>
#include <cmath>

#include "codecs/pq/product/pq_product.h"
#include "tests/support/random_pq_weight.h"

namespace pqw {
namespace {

struct Layout {
  std::size_t cols, block_size, n_centroids, n_groups;
};

constexpr std::size_t kRowCounts[] = {1, 7, 33, 64, 300};
constexpr Layout kLayouts[] = {{1, 1, 2, 1},     {2, 8, 2, 1},        {15, 2, 16, 1},
                               {16, 1, 16, 16},  {40, 4, 17, 10},     {129, 8, 256, 1},
                               {129, 8, 16, 17}, {512, 8, 256, 64},   {512, 4, 16, 1},
                               {512, 2, 256, 3}, {1030, 16, 256, 65}, {1030, 3, 300, 2}};

enum class Scales { kEqual, kColumns, kRows, kBoth, kRowScales };  // over nine powers of ten

double power(std::size_t i, std::size_t n) {
  return std::pow(10.0, n < 2 ? 0 : 9 * static_cast<double>(i) / static_cast<double>(n - 1) - 5);
}

PqWeight make_weight(std::size_t rows, const Layout& layout, Scales scales) {
  constexpr std::size_t kLevels = 10;  // of the rows
  PqWeight weight = test::random_pq_weight({rows, layout.cols}, layout.block_size,
                                           layout.n_centroids, layout.n_groups);
  const std::size_t d = layout.block_size;
  for (std::size_t i = 0; i < weight.codebooks.size(); ++i) {
    const std::size_t k = i / d % layout.n_centroids, group = i / d / layout.n_centroids;
    double scale = 1;
    if (scales == Scales::kColumns || scales == Scales::kBoth) {
      scale = layout.n_groups > 1 ? power(group, layout.n_groups) : power(i % d, d);
    }
    if (scales == Scales::kRows || scales == Scales::kBoth) scale *= power(k % kLevels, kLevels);
    weight.codebooks[i] = static_cast<float>(weight.codebooks[i] * scale);
  }
  if (scales == Scales::kRows || scales == Scales::kBoth) {
    for (std::size_t i = 0; i < weight.codes.size(); ++i) {
      const std::size_t k = weight.codes[i] / kLevels * kLevels + i % rows % kLevels;
      if (k < layout.n_centroids) weight.codes[i] = static_cast<std::uint16_t>(k);
    }
  }
  for (std::size_t r = 0; r < rows && scales == Scales::kRowScales; ++r) {
    weight.row_scales.push_back(static_cast<float>(power(r % kLevels, kLevels)));
  }
  return weight;
}

// x Wᵀ in double, and of each row of x the unit that errors are told in: sqrt(Σ x_c² W_rc²).
struct Reference {
  std::vector<double> y, units;
};

Reference multiply_in_double(const PqWeight& weight, const std::vector<float>& x) {
  const std::size_t rows = weight.rows(), cols = weight.cols(), n = x.size() / cols;
  std::vector<float> w(rows * cols);
  PqCodec::decode_rows(weight, 0, {w.data(), rows, cols});
  Reference result{std::vector<double>(n * rows), std::vector<double>(n)};
  for (std::size_t b = 0; b < n; ++b) {
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) {
        const double product = static_cast<double>(x[b * cols + c]) * w[r * cols + c];
        result.y[b * rows + r] += product;
        result.units[b] += product * product;
      }
    }
    result.units[b] = std::sqrt(result.units[b]);
  }
  return result;
}

// The error of each row of x, in its unit; the batches are the first rows of x.
std::vector<double> errors_of(const PqProduct& product, const std::vector<float>& x,
                              std::size_t batch, const Reference& expected) {
  const std::size_t rows = product.rows();
  std::vector<float> y(batch * rows);
  product.multiply_rows(0, {x.data(), batch, product.cols()}, {y.data(), batch, rows});
  std::vector<double> errors(batch);
  for (std::size_t i = 0; i < y.size(); ++i) {
    errors[i / rows] += std::pow(y[i] - expected.y[i], 2);
  }
  for (std::size_t b = 0; b < batch; ++b) errors[b] = std::sqrt(errors[b]) / expected.units[b];
  return errors;
}

void expect_bounds(const PqWeight& weight, const std::string& name) {
  constexpr std::size_t kMostX = 64;
  const auto x = test::normal_values(kMostX * weight.cols(), 9);
  const Reference expected = multiply_in_double(weight, x);
  // The methods that differ.
  const std::pair<Precision, std::vector<ServeMethod>> choices[] = {
      {Precision::kExact, {ServeMethod::kBatchLookup, ServeMethod::kDecode}},
      {Precision::kHigh, {ServeMethod::kAuto, ServeMethod::kLookup}},
      {Precision::kFast,
       {ServeMethod::kAuto, ServeMethod::kLookup, ServeMethod::kBatchLookup,
        ServeMethod::kDecodeBf16, ServeMethod::kDecodeInt8}}};
  for (const auto& [precision, methods] : choices) {
    for (const ServeMethod method : methods) {
      const PqProduct product(weight, {.precision = precision, .method = method});
      for (const std::size_t batch : {1u, 2u, 7u, 16u, 64u}) {
        const std::vector<double> errors = errors_of(product, x, batch, expected);
        double squares = 0;
        for (const double error : errors) {
          EXPECT_LE(error, kSingleRowError * documented_error(precision))
              << name << " batch " << batch << ": " << product.describe(batch);
          squares += error * error;
        }
        if (batch == kMostX) {
          EXPECT_LE(std::sqrt(squares / kMostX), documented_error(precision))
              << name << ": " << product.describe(batch);
        }
      }
    }
  }
}

TEST(PqProductBounds, HoldForSmallAndLopsidedShapes) {
  omp_set_num_threads(1);  // the bits are the same on more, and small products wait for each other
  std::size_t i = 0;
  for (const std::size_t rows : kRowCounts) {
    for (const Layout& layout : kLayouts) {
      const auto scales = static_cast<Scales>((i + i / std::size(kLayouts)) % 5);
      ++i;
      const std::string name = std::to_string(rows) + " x " + std::to_string(layout.cols) + " d " +
                               std::to_string(layout.block_size) + " K " +
                               std::to_string(layout.n_centroids) + " groups " +
                               std::to_string(layout.n_groups) + " scales " +
                               std::to_string(static_cast<int>(scales));
      expect_bounds(make_weight(rows, layout, scales), name);
    }
  }
  omp_set_num_threads(omp_get_num_procs());
}

// Columns of nine powers of ten: what is seldom large is exact, not rounded by what is large.
TEST(PqProductBounds, AreKeptByFloatsWhereIntegersWouldNot) {
  const Layout lopsided{512, 8, 256, 64};
  const ServeOptions fast{Precision::kFast, ServeMethod::kLookup};
  EXPECT_EQ(PqProduct(make_weight(300, lopsided, Scales::kColumns), fast).method(1),
            ServeMethod::kBatchLookup);
  EXPECT_EQ(PqProduct(make_weight(7, lopsided, Scales::kEqual), fast).method(1),
            ServeMethod::kBatchLookup);
  EXPECT_EQ(PqProduct(make_weight(300, lopsided, Scales::kEqual), fast).method(1),
            ServeMethod::kLookup);
}

}  // namespace
}  // namespace pqw
