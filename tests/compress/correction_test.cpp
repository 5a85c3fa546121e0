// The aims of repeated searches for an error.
#include "compress/correction.h"

#include <gtest/gtest.h>

namespace pqw {
namespace {

TEST(Correction, LeavesAnErrorThatIsNearAndNotAbove) {
  EXPECT_FALSE(Correction(0.1).is_needed_after(0.1));
  EXPECT_FALSE(Correction(0.1).is_needed_after(0.098));
  EXPECT_FALSE(Correction(0.1).is_needed_after(0)) << "nothing is lost: nothing to correct";
}

TEST(Correction, ScalesTheAimByTheErrorThatWasMeasured) {
  Correction correction(0.1);
  EXPECT_EQ(correction.aim(), 0.1);
  EXPECT_TRUE(correction.is_needed_after(0.108));  // 8 % above
  EXPECT_NEAR(correction.aim(), 0.99 * 0.1 / 1.08, 1e-12);
  EXPECT_FALSE(correction.is_needed_after(0.099));
  Correction low(0.1);
  EXPECT_TRUE(low.is_needed_after(0.08));
  EXPECT_NEAR(low.aim(), 0.99 * 0.1 / 0.8, 1e-12);
}

TEST(Correction, ReturnsToTheBestAimThatMetTheTarget) {
  Correction correction(0.1);
  EXPECT_TRUE(correction.is_needed_after(0.09));
  const double second = correction.aim();
  EXPECT_TRUE(correction.is_needed_after(0.12));
  EXPECT_NEAR(correction.aim(), second * 0.99 / 1.2, 1e-12);
  EXPECT_TRUE(correction.is_needed_after(0.12));
  EXPECT_EQ(correction.aim(), 0.1);
  EXPECT_FALSE(correction.is_needed_after(0.09));
}

TEST(Correction, EndsWhereNoAimHelps) {
  Correction above(0.1), below(0.1);
  int n_above = 0, n_below = 0;
  while (above.is_needed_after(0.2)) ++n_above;
  while (below.is_needed_after(0.05)) ++n_below;
  EXPECT_EQ(n_above, 6);
  EXPECT_EQ(n_below, 3) << "the third search returns to the first aim";
}

}  // namespace
}  // namespace pqw
