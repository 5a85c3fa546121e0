#include "pqw/serve/served_weight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "pqw/core/error.h"
#include "tests/serve/serve_testing.h"

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

TEST(ServedWeight, EveryCodecMultipliesAsPreciselyAsDocumented) {
  // Shapes with tails in rows and columns, one of them a convolution's.
  for (const Shape& shape : {Shape{1, 1}, Shape{70, 40}, Shape{33, 5, 3, 3}, Shape{200, 131}}) {
    for (const NamedWeight& named : test::weights_of_every_codec(shape)) {
      const std::vector<float> dense = test::decoded(named.weight);
      const std::size_t cols = matrix_shape(shape).cols;
      for (const NamedPrecision& precision : kPrecisions) {
        const ServedWeight served(named.weight, {.precision = precision.precision});
        ASSERT_EQ(served.shape(), shape);
        for (const std::size_t batch : {1, 2, 7, 40}) {
          SCOPED_TRACE(named.name + to_string(shape) + " " + precision.name);
          const auto x = test::normal_values(batch * cols, static_cast<unsigned>(batch));
          std::vector<float> y(batch * served.rows());
          served.multiply({x.data(), batch, cols}, {y.data(), batch, served.rows()});
          EXPECT_LE(test::relative_l2(y, product(dense, x, cols, 0, served.rows())),
                    precision.bound);
          EXPECT_FALSE(served.describe(batch).empty());
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

TEST(ServedWeight, SumsThatLeaveTheRangeOfFloatOnTheWayAreFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const NamedWeight& named : huge_weights()) {
    for (const NamedPrecision& precision : kPrecisions) {
      SCOPED_TRACE(named.name + " " + precision.name);
      const ServedWeight served(named.weight, {.precision = precision.precision});
      // 3e38, 1.5e38 and 6e38, which is infinite; a row that is not finite itself.
      const std::vector<float> x{1, 1, 1, 0.5f, 0.5f, 0.5f, 1, 1, 0, kInfinity, 0, 0};
      for (const std::size_t batch : {1, 4}) {
        std::vector<float> y(4);
        for (std::size_t b = 0; b < 4; b += batch) {
          served.multiply({x.data() + b * 3, batch, 3}, {y.data() + b, batch, 1});
        }
        EXPECT_NEAR(y[0] / 3e38f, 1, precision.bound);
        EXPECT_NEAR(y[1] / 1.5e38f, 1, precision.bound);
        EXPECT_EQ(y[2], kInfinity);
        EXPECT_FALSE(std::isfinite(y[3]));
      }
      float y = 0;
      served.multiply_rows(0, {x.data(), 1, 3}, {&y, 1, 1});
      EXPECT_NEAR(y / 3e38f, 1, precision.bound);
    }
  }
}

TEST(ServedWeight, LowRankWeightsAreServedByTheFormsOfTheirFactors) {
  const std::size_t rows = 90, cols = 45, rank = 16, batch = 3;
  LowRankWeight weight;
  weight.shape = {rows, cols};
  weight.outer = std::make_shared<const Weight>(test::random_pq_weight({rows, rank}, 4, 16));
  weight.inner = std::make_shared<const Weight>(test::random_pq_weight({rank, cols}, 4, 16));
  const std::vector<float> dense = test::decoded(weight);
  const auto x = test::normal_values(batch * cols, 2);
  for (const Precision precision : {Precision::kExact, Precision::kHigh}) {
    const ServedWeight served(weight, {.precision = precision});
    std::vector<float> y(batch * rows), part(batch * 50);
    served.multiply({x.data(), batch, cols}, {y.data(), batch, rows});
    served.multiply_rows(40, {x.data(), batch, cols}, {part.data(), batch, 50});
    // Each of the two products is as exact as the precision says.
    const double bound = precision == Precision::kExact ? 1e-5 : 4e-4;
    EXPECT_LE(test::relative_l2(y, product(dense, x, cols, 0, rows)), bound);
    EXPECT_LE(test::relative_l2(part, product(dense, x, cols, 40, 50)), bound);
    EXPECT_EQ(served.describe(batch).substr(0, 7), "inner: ");
  }
}

TEST(ServedWeight, RowsAreThoseOfTheWholeProduct) {
  const std::size_t cols = 45, batch = 3;
  const auto x = test::normal_values(batch * cols, 2);
  for (const NamedWeight& named : test::weights_of_every_codec({150, cols})) {
    const std::vector<float> dense = test::decoded(named.weight);
    const ServedWeight served(named.weight, {.precision = Precision::kExact});
    for (const auto& [first, n] :
         {std::pair<std::size_t, std::size_t>{0, 150}, {1, 64}, {70, 80}, {149, 1}, {150, 0}}) {
      std::vector<float> y(batch * n);
      served.multiply_rows(first, {x.data(), batch, cols}, {y.data(), batch, n});
      EXPECT_LE(test::relative_l2(y, product(dense, x, cols, first, n)), 2e-6) << named.name;
    }
  }
}

TEST(ServedWeight, ViewsMayHaveWideRows) {
  const std::size_t rows = 20, cols = 24, batch = 2, stride = 50;
  const auto x = test::normal_values(batch * stride, 3);
  std::vector<float> packed;
  for (std::size_t b = 0; b < batch; ++b) {
    packed.insert(packed.end(), &x[b * stride], &x[b * stride] + cols);
  }
  for (const NamedWeight& named : test::weights_of_every_codec({rows, cols})) {
    const auto expected = product(test::decoded(named.weight), packed, cols, 0, rows);
    std::vector<float> y(batch * stride, 7.0f);
    ServedWeight(named.weight, {.precision = Precision::kExact})
        .multiply({x.data(), batch, cols, stride}, {y.data(), batch, rows, stride});
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t c = 0; c < stride; ++c) {
        EXPECT_NEAR(y[b * stride + c], c < rows ? expected[b * rows + c] : 7.0, 1e-4) << named.name;
      }
    }
  }
}

TEST(ServedWeight, ThreadsDoNotChangeTheBits) {
  const std::size_t rows = 700, cols = 300;
  for (const NamedWeight& named : test::weights_of_every_codec({rows, cols})) {
    for (const NamedPrecision& precision : kPrecisions) {
      const ServedWeight served(named.weight, {.precision = precision.precision});
      for (const std::size_t batch : {1, 2, 20}) {
        const auto x = test::normal_values(batch * cols, 4);
        std::vector<float> y(batch * rows);
        const auto run = [&] { served.multiply({x.data(), batch, cols}, {y.data(), batch, rows}); };
        EXPECT_TRUE(test::same_on_any_threads(run, y)) << named.name << precision.name << batch;
      }
    }
  }
}

TEST(ServedWeight, ManyCallersMayShareOne) {
  const std::size_t rows = 130, cols = 200, n_callers = 4;
  const auto x = test::normal_values(n_callers * cols, 4);
  for (const NamedWeight& named : test::weights_of_every_codec({rows, cols})) {
    const ServedWeight served(named.weight);
    const auto multiply = [&](std::size_t caller) {
      std::vector<float> y(rows);
      served.multiply({x.data() + caller * cols, 1, cols}, {y.data(), 1, rows});
      return y;
    };
    std::vector<std::vector<float>> together(n_callers);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < n_callers; ++i) {
      threads.emplace_back([&, i, copy = served] { together[i] = multiply(i); });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < n_callers; ++i) EXPECT_EQ(together[i], multiply(i)) << named.name;
  }
}

TEST(ServedWeight, EmptyBatchesAndWeightsAreFine) {
  for (const NamedWeight& named : test::weights_of_every_codec({6, 8})) {
    const ServedWeight served(named.weight);
    std::vector<float> y;
    served.multiply({nullptr, 0, 8}, {y.data(), 0, 6});
  }
  const ServedWeight none(test::plain_weight({0, 4}, {}));
  const std::vector<float> x(4);
  none.multiply({x.data(), 1, 4}, {nullptr, 1, 0});
}

TEST(ServedWeight, WhatDoesNotFitIsRefused) {
  EXPECT_THROW(ServedWeight(test::plain_weight({4}, {1, 2, 3, 4})), Error) << "no matrix";
  EXPECT_THROW(ServedWeight(PlainWeight{{1, 2}, DType::kI32, std::vector<std::byte>(8)}), Error);
  const ServedWeight served(test::random_pq_weight({6, 8}, 4, 5));
  const std::vector<float> x(2 * 9);
  std::vector<float> y(2 * 7);
  EXPECT_THROW(served.multiply({x.data(), 2, 9}, {y.data(), 2, 6}), Error);
  EXPECT_THROW(served.multiply({x.data(), 2, 8}, {y.data(), 2, 7}), Error);
  EXPECT_THROW(served.multiply({x.data(), 2, 8}, {y.data(), 1, 6}), Error);
  EXPECT_THROW(served.multiply_rows(3, {x.data(), 2, 8}, {y.data(), 2, 4}), Error);
  EXPECT_THROW(served.multiply_rows(7, {x.data(), 2, 8}, {y.data(), 2, 0}), Error);
}

}  // namespace
}  // namespace pqw
