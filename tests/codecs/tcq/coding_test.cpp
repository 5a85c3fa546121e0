// Integers to bytes and back, and the contexts that both sides compute.
#include "codecs/tcq/value/coding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codecs/tcq/value/trellis.h"
#include "tests/support/random_tcq_weight.h"

namespace pqw::tcq {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST(TcqLevels, AreHalfOctavesOfTheRootMeanSquare) {
  EXPECT_EQ(level_of(8, 2), 2);  // mean square 4, root mean square 2 = 2^(2/2)
  EXPECT_EQ(level_of(1, 1), 0);
  EXPECT_EQ(level_of(1414, 1000), 0) << "below 2^(1/2)";
  EXPECT_EQ(level_of(1415, 1000), 1);
  EXPECT_EQ(level_of(1, 8), -3);
  EXPECT_EQ(level_of(0, 5), kLowestLevel);
  EXPECT_EQ(level_of(0, 0), kLowestLevel);
  EXPECT_EQ(level_of(~std::uint64_t{0}, 1), kHighestLevel);
}

TEST(TcqColumnClasses, ByHand) {
  ColumnClasses columns(4);
  EXPECT_THAT(columns.classes(), Each(0));
  // Energies at level 2, in 64ths: (2 |n| + 1)² 2^(4-2), at most 2304.
  const std::int16_t row[] = {0, 1, -4, 300};
  for (int i = 0; i < 8; ++i) columns.add_row(row, 2);
  columns.end_group();
  // 8 rows: 32, 288, 2592, 18432; their mean is 5336. (192 + energy) / (192 + 5336) is 0.0405,
  // 0.0868, 0.504 and 3.37, of which the logarithms to base 2 are -4.6, -3.53, -0.99 and 1.75.
  EXPECT_THAT(columns.classes(), ElementsAre(-5, -4, -1, 2));
}

TEST(TcqColumnClasses, LevelsScaleEnergies) {
  ColumnClasses columns(2);
  const std::int16_t row[] = {1, 10};
  for (int i = 0; i < 8; ++i) columns.add_row(row, -9);  // 9 * 2^13: at most 2304, as all of them
  columns.end_group();
  EXPECT_THAT(columns.classes(), ElementsAre(0, 0));
  // 9 / 4 = 2 and 441 / 4 = 110, rounded down: (192 + 18448) / (192 + 18880) and its like are 1.
  for (int i = 0; i < 8; ++i) columns.add_row(row, 6);
  columns.end_group();
  EXPECT_THAT(columns.classes(), ElementsAre(0, 0));
}

void expect_round_trip(MatrixShape shape, float spread, bool steps) {
  SCOPED_TRACE(std::to_string(shape.rows) + " x " + std::to_string(shape.cols));
  const std::vector<std::int16_t> values = test::random_path(shape, spread);
  std::vector<std::uint8_t> fineness;
  for (std::size_t r = 0; steps && r < shape.rows; ++r) {
    fineness.push_back(static_cast<std::uint8_t>(r * r % 64));
  }
  const Coded coded = encode_values({shape, values, fineness});
  const Decoded decoded = decode_values(shape, coded.model, coded.tokens, coded.raw);
  ASSERT_EQ(decoded.fault, nullptr) << decoded.fault;
  EXPECT_EQ(decoded.values, values);
  EXPECT_EQ(decoded.fineness, fineness);
}

TEST(TcqCoding, IsExact) {
  for (const MatrixShape shape :
       {MatrixShape{1, 1}, MatrixShape{1, 500}, MatrixShape{500, 1}, MatrixShape{7, 9},
        MatrixShape{8, 128}, MatrixShape{9, 127}, MatrixShape{100, 130}, MatrixShape{64, 33}}) {
    for (const float spread : {0.0f, 0.2f, 1.0f, 5.0f, 40.0f, 9000.0f}) {
      expect_round_trip(shape, spread, false);
      expect_round_trip(shape, spread, true);
    }
  }
  expect_round_trip({0, 5}, 1, false);
  expect_round_trip({5, 0}, 1, false);
}

TEST(TcqCoding, UsesEveryKindOfContexts) {
  const MatrixShape shape{200, 150};
  const auto contexts = [&](const std::vector<std::int16_t>& values) {
    return choose_model({shape, values, {}}).contexts;
  };
  // Columns of two sizes (random_path), rows of two sizes, or neither.
  EXPECT_TRUE(contexts(test::random_path(shape, 1)).by_column);
  std::vector<std::int16_t> rows = test::random_path(shape, 1);
  for (std::size_t r = 0; r < shape.rows; r += 2) {
    std::fill_n(rows.begin() + static_cast<std::ptrdiff_t>(r * shape.cols), shape.cols, 0);
  }
  EXPECT_EQ(contexts(rows).drops, RowDrops::kLevel);
  const Contexts of_zeros = contexts(std::vector<std::int16_t>(shape.rows * shape.cols));
  EXPECT_EQ(of_zeros.drops, RowDrops::kNone);
  EXPECT_FALSE(of_zeros.by_column);
}

// One row, 2 and -2: index 1 twice, first in state 0, then in state 2, both of quantizer 0.
TEST(TcqCoding, TinyStreamByHand) {
  const std::vector<std::int16_t> values = {2, -2};
  BitWriter model;
  model.put(0, 2);       // no drops
  model.put(0, 1);       // not by column
  model.put(2 + 16, 6);  // level 2: mean square 4
  model.put(23, 5);      // the only class: those with few tokens join the next
  model.put(23, 5);
  model.put(2, 7);      // quantizer 0: tokens 0 and 1
  model.put(0, 4);      // frequencies without mantissa bits
  model.put_unary(26);  // level 0 after 13, 13 lower: 2 * 13
  model.put_unary(27);  // level 14 after 0: 2 * 14 - 1. A weight of 2^12, all of the sum
  model.put(0, 7);      // quantizer 1 does not occur
  const std::vector<std::byte> expected = std::move(model).take();
  const Coded coded = encode_values({{1, 2}, values, {}});
  EXPECT_EQ(coded.model, expected);
  // A certain symbol takes no bits: eight states of 2^16.
  std::vector<std::byte> states(32);
  for (std::size_t i = 2; i < states.size(); i += 4) states[i] = std::byte{1};
  EXPECT_EQ(coded.tokens, states);
  EXPECT_THAT(coded.raw, ElementsAre(std::byte{0b10})) << "the signs";
  EXPECT_EQ(decode_values({1, 2}, expected, states, coded.raw).values, values);
}

}  // namespace
}  // namespace pqw::tcq
