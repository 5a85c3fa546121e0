#include "codecs/plain/product/packed_product.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "codecs/active_kernels.h"
#include "pqw/codecs/kernels.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

PlainWeight random_weight(Shape shape, DType dtype) {
  const MatrixShape matrix = matrix_shape(shape);
  PlainWeight weight{{std::move(shape), dtype}, {}};
  weight.bytes.resize(matrix.rows * matrix.cols * size_in_bytes(dtype));
  from_float(test::normal_values(matrix.rows * matrix.cols, 3), dtype, weight.bytes);
  return weight;
}

// Rows of x and y are further apart than they are long; y has sentinels between them.
void expect_products(const PlainWeight& weight, std::size_t first, std::size_t n_rows,
                     std::size_t batch) {
  constexpr float kSentinel = 77;
  const std::size_t cols = weight.matrix().cols, x_stride = cols + 3, y_stride = n_rows + 2;
  std::vector<float> w(weight.matrix().rows * cols);
  PlainCodec::decode_rows(weight, 0, {w.data(), weight.matrix().rows, cols});
  const auto x = test::normal_values(batch * x_stride, 4);
  std::vector<float> y(batch * y_stride, kSentinel);
  PackedProduct(weight).multiply_rows(first, {x.data(), batch, cols, x_stride},
                                      {y.data(), batch, n_rows, y_stride});
  std::vector<float> found;
  std::vector<double> expected;
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t r = 0; r < y_stride; ++r) {
      if (r >= n_rows) {
        ASSERT_EQ(y[b * y_stride + r], kSentinel);
        continue;
      }
      double sum = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        sum += double{x[b * x_stride + c]} * double{w[(first + r) * cols + c]};
      }
      found.push_back(y[b * y_stride + r]);
      expected.push_back(sum);
    }
  }
  EXPECT_LE(test::relative_error(found, expected), 1e-6)
      << to_string(weight.shape) << ", rows " << first << " to " << first + n_rows << ", " << batch;
}

TEST(PackedProduct, MultipliesAsInDouble) {
  for (const Shape& shape :
       {Shape{1, 1}, Shape{15, 3}, Shape{48, 130}, Shape{97, 4, 16}, Shape{50, 1030}}) {
    const PlainWeight weight = random_weight(shape, DType::kF32);
    for (const std::size_t batch : {1, 2, 3, 7, 8, 63, 64, 65, 130}) {
      expect_products(weight, 0, shape[0], batch);
    }
  }
}

TEST(PackedProduct, MultipliesRangesOfRows) {
  const PlainWeight weight = random_weight({130, 20}, DType::kF16);
  for (const std::size_t first : {0, 1, 47, 48, 129}) {
    for (const std::size_t n_rows : {1, 50, 130}) {
      if (first + n_rows <= 130) expect_products(weight, first, n_rows, 5);
    }
  }
}

TEST(PackedProduct, DecodesRowsToTheBit) {
  const PlainWeight weight = random_weight({67, 5}, DType::kF32);
  const PackedProduct product(weight);
  for (std::size_t r = 0; r < 67; ++r) {
    std::vector<float> row(5), expected(5);
    product.decode_row(r, row);
    PlainCodec::decode_rows(weight, r, {expected.data(), 1, 5});
    EXPECT_EQ(row, expected);
  }
}

TEST(PackedProduct, EmptyShapes) {
  std::vector<float> y(3, 7.0f);
  PackedProduct(random_weight({3, 0}, DType::kF32))
      .multiply_rows(0, {nullptr, 1, 0}, {y.data(), 1, 3});
  EXPECT_EQ(y, std::vector<float>(3));
  const std::vector<float> x(4);
  PackedProduct(random_weight({0, 4}, DType::kF32))
      .multiply_rows(0, {x.data(), 1, 4}, {nullptr, 1, 0});
}

TEST(PackedProduct, IntegersAreNoMatrix) {
  EXPECT_THROW(PackedProduct({{{1, 1}, DType::kI8}, std::vector<std::byte>(1)}), Error);
}

class AllFiniteKernel : public testing::TestWithParam<std::string> {};

TEST_P(AllFiniteKernel, FindsOneValueAnywhere) {
  const auto all_finite = kernels::find(GetParam())->contraction->all_finite;
  constexpr float kLargest = std::numeric_limits<float>::max();
  EXPECT_TRUE(all_finite(nullptr, 0));
  for (std::size_t n = 1; n <= 70; ++n) {
    std::vector<float> values(n, -kLargest);
    ASSERT_TRUE(all_finite(values.data(), n));
    for (std::size_t i = 0; i < n; ++i) {
      for (const float bad :
           {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
            std::numeric_limits<float>::quiet_NaN()}) {
        values[i] = bad;
        ASSERT_FALSE(all_finite(values.data(), n)) << bad << " at " << i << " of " << n;
      }
      values[i] = kLargest;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, AllFiniteKernel, testing::ValuesIn(available_kernels()),
                         [](const auto& test_case) { return test_case.param; });

}  // namespace
}  // namespace pqw
