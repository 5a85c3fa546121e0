#include "pqw/codecs/product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "pqw/core/error.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

using test::kPrecisions;
using test::NamedPrecision;
using test::NamedWeight;

// x Wᵀ in double, for rows first .. first+n_rows-1.
std::vector<double> product(const std::vector<float>& w, const std::vector<float>& x,
                            std::size_t cols, std::size_t first, std::size_t n_rows) {
  std::vector<double> y;
  for (std::size_t b = 0; b < x.size() / cols; ++b) {
    for (std::size_t r = first; r < first + n_rows; ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        sum += static_cast<double>(x[b * cols + c]) * w[r * cols + c];
      }
      y.push_back(sum);
    }
  }
  return y;
}

TEST(Product, EveryCodecMultipliesAsPreciselyAsDocumented) {
  // Shapes with tails in rows and columns, one of them a convolution's.
  for (const Shape& shape : {Shape{1, 1}, Shape{70, 40}, Shape{33, 5, 3, 3}, Shape{200, 131}}) {
    for (const NamedWeight& named : test::weights_of_every_codec(shape)) {
      const std::vector<float> dense = test::decoded(named.weight);
      const std::size_t cols = matrix_shape(shape).cols;
      for (const NamedPrecision& precision : kPrecisions) {
        const auto served = make_product(named.weight, {.precision = precision.precision});
        ASSERT_EQ(served->rows(), shape[0]);
        ASSERT_EQ(served->cols(), cols);
        for (const std::size_t batch : {1, 2, 7, 40}) {
          SCOPED_TRACE(named.name + to_string(shape) + " " + precision.name);
          const auto x = test::normal_values(batch * cols, static_cast<unsigned>(batch));
          std::vector<float> y(batch * served->rows());
          served->multiply_rows(0, {x.data(), batch, cols}, {y.data(), batch, served->rows()});
          EXPECT_LE(test::relative_error(y, product(dense, x, cols, 0, served->rows())),
                    precision.bound);
          EXPECT_FALSE(served->describe(batch).empty());
        }
      }
    }
  }
}

// Weights of one row, 3e38, 3e38 and -3e38, in every codec.
std::vector<NamedWeight> huge_weights() {
  const std::vector<float> row{3e38f, 3e38f, -3e38f};
  PqWeight pq;
  pq.shape = {1, 3};
  pq.block_size = 1;
  pq.n_centroids = 2;
  pq.codebooks = {3e38f, -3e38f};
  pq.codes = {0, 0, 1};
  Int8Weight int8;
  int8.shape = {1, 3};
  int8.values = {100, 100, -100};
  int8.scales = {3e36f};
  LowRankWeight low_rank;
  low_rank.shape = {1, 3};
  low_rank.outer = std::make_shared<const Weight>(test::plain_weight({1, 1}, {2e19f}));
  low_rank.inner =
      std::make_shared<const Weight>(test::plain_weight({1, 3}, {1.5e19f, 1.5e19f, -1.5e19f}));
  TensorizedWeight tensorized;
  tensorized.shape = {1, 3};
  tensorized.layout = {TensorForm::kTt, {1}, {3}, 1, {1}};
  tensorized.factors = std::make_shared<const std::vector<Weight>>(
      std::vector<Weight>{test::plain_weight({1, 1}, {2e19f}),
                          test::plain_weight({1, 3}, {1.5e19f, 1.5e19f, -1.5e19f})});
  return {{"plain", test::plain_weight({1, 3}, row)},
          {"pq", pq},
          {"int8", int8},
          {"low_rank", low_rank},
          {"tensorized", tensorized}};
}

TEST(Product, SumsThatLeaveTheRangeOfFloatOnTheWayAreFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const NamedWeight& named : huge_weights()) {
    for (const NamedPrecision& precision : kPrecisions) {
      SCOPED_TRACE(named.name + " " + precision.name);
      const auto product = make_product(named.weight, {.precision = precision.precision});
      // 3e38, 1.5e38 and 6e38, which is infinite; a row that is not finite itself.
      const std::vector<float> x{1, 1, 1, 0.5f, 0.5f, 0.5f, 1, 1, 0, kInfinity, 0, 0};
      for (const std::size_t batch : {1, 4}) {
        std::vector<float> y(4);
        for (std::size_t b = 0; b < 4; b += batch) {
          product->multiply_rows(0, {x.data() + b * 3, batch, 3}, {y.data() + b, batch, 1});
        }
        EXPECT_NEAR(y[0] / 3e38f, 1, precision.bound);
        EXPECT_NEAR(y[1] / 1.5e38f, 1, precision.bound);
        EXPECT_EQ(y[2], kInfinity);
        EXPECT_FALSE(std::isfinite(y[3]));
      }
    }
  }
}

TEST(Product, LowRankWeightsAreMultipliedByTheProductsOfTheirFactors) {
  const std::size_t rows = 90, cols = 45, rank = 16, batch = 3;
  LowRankWeight weight;
  weight.shape = {rows, cols};
  weight.outer = std::make_shared<const Weight>(test::random_pq_weight({rows, rank}, 4, 16));
  weight.inner = std::make_shared<const Weight>(test::random_pq_weight({rank, cols}, 4, 16));
  const std::vector<float> dense = test::decoded(weight);
  const auto x = test::normal_values(batch * cols, 2);
  for (const Precision precision : {Precision::kExact, Precision::kHigh}) {
    const auto served = make_product(weight, {.precision = precision});
    std::vector<float> y(batch * rows), part(batch * 50);
    served->multiply_rows(0, {x.data(), batch, cols}, {y.data(), batch, rows});
    served->multiply_rows(40, {x.data(), batch, cols}, {part.data(), batch, 50});
    // Each of the two products is as exact as the precision says.
    const double bound = precision == Precision::kExact ? 1e-5 : 4e-4;
    EXPECT_LE(test::relative_error(y, product(dense, x, cols, 0, rows)), bound);
    EXPECT_LE(test::relative_error(part, product(dense, x, cols, 40, 50)), bound);
    EXPECT_EQ(served->describe(batch).substr(0, 7), "inner: ");
  }
}

TEST(Product, RowsAreThoseOfTheWholeProduct) {
  const std::size_t cols = 45, batch = 3;
  const auto x = test::normal_values(batch * cols, 2);
  for (const NamedWeight& named : test::weights_of_every_codec({150, cols})) {
    const std::vector<float> dense = test::decoded(named.weight);
    const auto served = make_product(named.weight, {.precision = Precision::kExact});
    for (const auto& [first, n] :
         {std::pair<std::size_t, std::size_t>{0, 150}, {1, 64}, {70, 80}, {149, 1}, {150, 0}}) {
      std::vector<float> y(batch * n);
      served->multiply_rows(first, {x.data(), batch, cols}, {y.data(), batch, n});
      EXPECT_LE(test::relative_error(y, product(dense, x, cols, first, n)), 2e-6) << named.name;
    }
  }
}

TEST(Product, ViewsMayHaveWideRows) {
  const std::size_t rows = 20, cols = 24, batch = 2, stride = 50;
  const auto x = test::normal_values(batch * stride, 3);
  std::vector<float> packed;
  for (std::size_t b = 0; b < batch; ++b) {
    packed.insert(packed.end(), &x[b * stride], &x[b * stride] + cols);
  }
  for (const NamedWeight& named : test::weights_of_every_codec({rows, cols})) {
    const auto expected = product(test::decoded(named.weight), packed, cols, 0, rows);
    std::vector<float> y(batch * stride, 7.0f);
    make_product(named.weight, {.precision = Precision::kExact})
        ->multiply_rows(0, {x.data(), batch, cols, stride}, {y.data(), batch, rows, stride});
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t c = 0; c < stride; ++c) {
        EXPECT_NEAR(y[b * stride + c], c < rows ? expected[b * rows + c] : 7.0, 1e-4) << named.name;
      }
    }
  }
}

TEST(Product, ThreadsDoNotChangeTheBits) {
  const std::size_t rows = 700, cols = 300;
  for (const NamedWeight& named : test::weights_of_every_codec({rows, cols})) {
    for (const NamedPrecision& precision : kPrecisions) {
      const auto served = make_product(named.weight, {.precision = precision.precision});
      for (const std::size_t batch : {1, 2, 20}) {
        const auto x = test::normal_values(batch * cols, 4);
        std::vector<float> y(batch * rows);
        const auto run = [&] {
          served->multiply_rows(0, {x.data(), batch, cols}, {y.data(), batch, rows});
        };
        EXPECT_TRUE(test::same_on_any_threads(run, y)) << named.name << precision.name << batch;
      }
    }
  }
}

TEST(Product, ManyCallersMayShareOne) {
  const std::size_t rows = 130, cols = 200, n_callers = 4;
  const auto x = test::normal_values(n_callers * cols, 4);
  for (const NamedWeight& named : test::weights_of_every_codec({rows, cols})) {
    const auto served = make_product(named.weight);
    const auto multiply = [&](std::size_t caller) {
      std::vector<float> y(rows);
      served->multiply_rows(0, {x.data() + caller * cols, 1, cols}, {y.data(), 1, rows});
      return y;
    };
    std::vector<std::vector<float>> together(n_callers);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < n_callers; ++i) {
      threads.emplace_back([&, i] { together[i] = multiply(i); });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < n_callers; ++i) EXPECT_EQ(together[i], multiply(i)) << named.name;
  }
}

TEST(Product, EmptyBatchesAndWeightsAreFine) {
  for (const NamedWeight& named : test::weights_of_every_codec({6, 8})) {
    const auto served = make_product(named.weight);
    std::vector<float> y;
    served->multiply_rows(0, {nullptr, 0, 8}, {y.data(), 0, 6});
  }
  const auto none = make_product(test::plain_weight({0, 4}, {}));
  const std::vector<float> x(4);
  none->multiply_rows(0, {x.data(), 1, 4}, {nullptr, 1, 0});
}

// Every codec, and low rank with factors of codecs that have a layout by rows.
std::vector<NamedWeight> weights_and_factors(const Shape& shape) {
  std::vector<NamedWeight> weights = test::weights_of_every_codec(shape);
  LowRankWeight weight;
  weight.shape = shape;
  weight.outer = std::make_shared<const Weight>(test::random_pq_weight({shape[0], 12}, 4, 16));
  weight.inner = std::make_shared<const Weight>(test::random_int8_weight({12, shape[1]}, true));
  weights.push_back({"low_rank", weight});
  return weights;
}

TEST(Product, RowsAreTheDecodedOnesToTheBit) {
  for (const Shape& shape : {Shape{1, 1}, Shape{70, 3}, Shape{150, 45}}) {
    for (const NamedWeight& named : weights_and_factors(shape)) {
      const std::vector<float> dense = test::decoded(named.weight);
      for (const ServeLayout layout : {ServeLayout::kProducts, ServeLayout::kRows}) {
        for (const NamedPrecision& precision : kPrecisions) {
          const auto product =
              make_product(named.weight, {.precision = precision.precision, .layout = layout});
          for (std::size_t r = 0; r < shape[0]; ++r) {
            std::vector<float> row(shape[1]);
            product->decode_row(r, row);
            ASSERT_TRUE(std::equal(row.begin(), row.end(), dense.begin() + r * shape[1]))
                << named.name << " " << precision.name << " row " << r;
          }
        }
      }
    }
  }
}

float decoded_product_of(const std::vector<float>& outer, const std::vector<float>& inner) {
  LowRankWeight weight;
  weight.shape = {1, 1};
  weight.outer = std::make_shared<const Weight>(test::plain_weight({1, outer.size()}, outer));
  weight.inner = std::make_shared<const Weight>(test::plain_weight({inner.size(), 1}, inner));
  float value = 0;
  make_product(weight, {.layout = ServeLayout::kRows})->decode_row(0, {&value, 1});
  return value;
}

TEST(Product, RowsWhoseSumsLeaveTheRangeOfFloatOnTheWayAreDecoded) {
  EXPECT_EQ(decoded_product_of({1, 1, 1}, {3e38f, 3e38f, -3e38f}), 3e38f);
  // Two halves of the smallest float, each of which is rounded to 0 as a float.
  EXPECT_EQ(decoded_product_of({0.5f, 0.5f}, {0x1p-149f, 0x1p-149f}), 0x1p-149f);
  for (const NamedWeight& named : huge_weights()) {
    std::vector<float> row(3);
    make_product(named.weight)->decode_row(0, row);
    EXPECT_EQ(row, test::decoded(named.weight)) << named.name;
  }
}

TEST(Product, LaidOutByRowsMultipliesExactly) {
  const std::size_t rows = 150, cols = 45, batch = 3;
  const auto x = test::normal_values(batch * cols, 2);
  for (const NamedWeight& named : weights_and_factors({rows, cols})) {
    const std::vector<float> dense = test::decoded(named.weight);
    const auto by_rows =
        make_product(named.weight, {.precision = Precision::kFast, .layout = ServeLayout::kRows});
    std::vector<float> y(batch * 80);
    const auto run = [&] {
      by_rows->multiply_rows(70, {x.data(), batch, cols}, {y.data(), batch, 80});
    };
    EXPECT_TRUE(test::same_on_any_threads(run, y)) << named.name;
    EXPECT_LE(test::relative_error(y, product(dense, x, cols, 70, 80)), 2e-6) << named.name;
    EXPECT_FALSE(by_rows->describe(batch).empty());
  }
}

TEST(Product, WhatIsNoFloatMatrixIsRefused) {
  EXPECT_THROW(make_product(test::plain_weight({4}, {1, 2, 3, 4})), Error) << "no matrix";
  EXPECT_THROW(make_product(PlainWeight{{{1, 2}, DType::kI32}, std::vector<std::byte>(8)}), Error);
}

TEST(Precision, NamesGoBothWays) {
  for (const NamedPrecision& precision : kPrecisions) {
    EXPECT_EQ(to_string(precision.precision), precision.name);
    EXPECT_EQ(parse_precision(precision.name), precision.precision);
  }
  EXPECT_EQ(parse_precision("float"), std::nullopt);
}

TEST(ServeMethod, HasAName) {
  EXPECT_EQ(to_string(ServeMethod::kAuto), "auto");
  EXPECT_EQ(to_string(ServeMethod::kLookup), "lookup");
  EXPECT_EQ(to_string(ServeMethod::kBatchLookup), "batch lookup");
  EXPECT_EQ(to_string(ServeMethod::kDecode), "decode");
  EXPECT_EQ(to_string(ServeMethod::kDecodeBf16), "decode-bf16");
  EXPECT_EQ(to_string(ServeMethod::kDecodeInt8), "decode-int8");
  EXPECT_EQ(to_string(ServeMethod::kDense), "dense");
  EXPECT_EQ(to_string(ServeMemory::kCodes), "codes");
  EXPECT_EQ(to_string(ServeMemory::kFastest), "fastest");
}

}  // namespace
}  // namespace pqw
