#include "pqw/codecs/plain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;

PlainWeight make(DType dtype, Shape shape, const std::vector<float>& values) {
  PlainWeight weight{{std::move(shape), dtype}, {}};
  weight.bytes.resize(values.size() * size_in_bytes(dtype));
  from_float(values, dtype, weight.bytes);
  return weight;
}

TEST(PlainWeight, MultipliesByHand) {
  const PlainWeight weight = make(DType::kBF16, {2, 3}, {1, 2, 3, 4, 5, 6});
  const std::vector<float> x{1, 0, -1, 2, 2, 2};
  std::vector<float> y(4);
  make_product(weight)->multiply_rows(0, {x.data(), 2, 3}, {y.data(), 2, 2});
  EXPECT_THAT(y, ElementsAre(-2, -2, 12, 30));
}

// Few rows of x and many are multiplied in different ways.
TEST(PlainWeight, MultipliesAsInDoubleForEveryBatch) {
  constexpr std::size_t kRows = 70, kCols = 1030;
  const auto values = test::normal_values(kRows * kCols, 3);
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    const PlainWeight weight = make(dtype, {kRows, kCols}, values);
    std::vector<float> w(kRows * kCols);
    PlainCodec::decode_rows(weight, 0, {w.data(), kRows, kCols});
    for (const std::size_t batch : {1, 4, 5, 40}) {
      const auto x = test::normal_values(batch * kCols, 4);
      std::vector<float> y(batch * 60);
      make_product(weight)->multiply_rows(7, {x.data(), batch, kCols}, {y.data(), batch, 60});
      for (std::size_t i = 0; i < y.size(); ++i) {
        double expected = 0;
        for (std::size_t c = 0; c < kCols; ++c) {
          expected += static_cast<double>(x[i / 60 * kCols + c]) * w[(7 + i % 60) * kCols + c];
        }
        ASSERT_NEAR(y[i], expected, 1e-3) << batch << " rows, " << i;
      }
    }
  }
}

TEST(PlainWeight, DecodesRows) {
  const PlainWeight weight = make(DType::kF64, {3, 1, 2}, {1, 2, 3, 4, 5, 6});
  std::vector<float> rows(4);
  PlainCodec::decode_rows(weight, 1, {rows.data(), 2, 2});
  EXPECT_THAT(rows, ElementsAre(3, 4, 5, 6));
}

TEST(PlainWeight, IntegersAreNoMatrix) {
  const PlainWeight weight{{{1, 1}, DType::kI8}, std::vector<std::byte>(1)};
  float out = 0;
  EXPECT_THROW(PlainCodec::decode_rows(weight, 0, {&out, 1, 1}), Error);
}

}  // namespace
}  // namespace pqw
