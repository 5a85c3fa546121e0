#include "pqw/codecs/pq_lookup.h"

#include <gtest/gtest.h>

namespace pqw {
namespace {

TEST(Precision, NamesGoBothWays) {
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    EXPECT_EQ(parse_precision(to_string(precision)), precision);
  }
  EXPECT_EQ(to_string(Precision::kExact), "exact");
  EXPECT_EQ(parse_precision("float"), std::nullopt);
}

}  // namespace
}  // namespace pqw
