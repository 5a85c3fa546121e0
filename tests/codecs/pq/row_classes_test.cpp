#include "codecs/pq/value/row_classes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST(RowClasses, HaveEqualWidthsInTheLogarithm) {
  // log2: 0, 4, 7.58 (7.5 if linear), 8; classes are 2 wide
  EXPECT_THAT(row_classes(std::vector<double>{1, 16, 192, 256}, 4), ElementsAre(0, 2, 3, 3));
  EXPECT_THAT(row_classes(std::vector<double>{1, 16, 192, 256}, 2), ElementsAre(0, 1, 1, 1));
}

TEST(RowClasses, OfRowsBeyondTheQuantilesAreTheFirstAndLast) {
  std::vector<double> energies(100);
  for (std::size_t i = 0; i < 100; ++i) energies[i] = i < 50 ? 1 : 4;
  energies[0] = 0;
  energies[99] = 1e30;  // if it counted, 1 and 4 would be in one class
  const std::vector<std::uint8_t> classes = row_classes(energies, 4);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(classes[i], i < 50 ? 0 : 3) << i;
}

TEST(RowClasses, OfEqualRowsAreTheSame) {
  EXPECT_THAT(row_classes(std::vector<double>(5, 3.0), 4), Each(0));
  EXPECT_THAT(row_classes(std::vector<double>{}, 4), ElementsAre());
  EXPECT_THAT(row_classes(std::vector<double>{1, 9}, 1), Each(0));
}

}  // namespace
}  // namespace pqw
