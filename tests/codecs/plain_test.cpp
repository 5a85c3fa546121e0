#include "pqw/codecs/plain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/core/convert.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;

PlainWeight make(DType dtype, Shape shape, const std::vector<float>& values) {
  PlainWeight weight{std::move(shape), dtype, {}};
  weight.bytes.resize(values.size() * size_in_bytes(dtype));
  from_float(values, dtype, weight.bytes);
  return weight;
}

TEST(PlainWeight, MultipliesByHand) {
  const PlainWeight weight = make(DType::kBF16, {2, 3}, {1, 2, 3, 4, 5, 6});
  const std::vector<float> x{1, 0, -1, 2, 2, 2};
  std::vector<float> y(4);
  multiply(weight, {x.data(), 2, 3}, {y.data(), 2, 2});
  EXPECT_THAT(y, ElementsAre(-2, -2, 12, 30));
}

TEST(PlainWeight, DecodesRows) {
  const PlainWeight weight = make(DType::kF64, {3, 1, 2}, {1, 2, 3, 4, 5, 6});
  std::vector<float> rows(4);
  decode_rows(weight, 1, {rows.data(), 2, 2});
  EXPECT_THAT(rows, ElementsAre(3, 4, 5, 6));
  EXPECT_EQ(size_in_bits(weight), 6u * 64);
}

TEST(PlainWeight, IntegersAreNoMatrix) {
  const PlainWeight weight{{1, 1}, DType::kI8, std::vector<std::byte>(1)};
  float out = 0;
  EXPECT_THROW(decode(weight, {&out, 1, 1}), Error);
}

}  // namespace
}  // namespace pqw
