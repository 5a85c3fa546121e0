#include "pqw/core/distortion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace pqw {
namespace {

TEST(Distortion, MeasuresByHand) {
  const std::vector<float> w{3, 4, 0};
  const std::vector<float> v{3, 2, 1};
  Distortion d;
  d.add(w, v);
  EXPECT_EQ(d.count(), 3u);
  EXPECT_DOUBLE_EQ(d.squared_error(), 5);
  EXPECT_DOUBLE_EQ(d.relative_error(), 0.2);
  EXPECT_DOUBLE_EQ(d.sqnr_db(), 10 * std::log10(5.0));
  EXPECT_DOUBLE_EQ(d.max_abs_error(), 2);
  EXPECT_DOUBLE_EQ(d.amplitude(), 0.68);  // (9 + 8) / 25
  EXPECT_DOUBLE_EQ(d.cosine(), 17 / (5 * std::sqrt(14.0)));
}

TEST(Distortion, SeesWhatOnlyDoublesTell) {
  const std::vector<double> w{1, 1}, v{1 + 0x1p-40, 1};
  Distortion d;
  d.add(w, v);
  EXPECT_DOUBLE_EQ(d.squared_error(), 0x1p-80);
  EXPECT_DOUBLE_EQ(d.relative_error(), 0x1p-81);
}

TEST(Distortion, PartsAddUpToTheWhole) {
  const std::vector<float> w{1, 2, 3, 4};
  const std::vector<float> v{1, 1, 4, 4};
  Distortion whole, first, second;
  whole.add(w, v);
  first.add({w.data(), 2}, {v.data(), 2});
  second.add({w.data() + 2, 2}, {v.data() + 2, 2});
  first.add(second);
  EXPECT_EQ(first.count(), whole.count());
  EXPECT_DOUBLE_EQ(first.relative_error(), whole.relative_error());
  EXPECT_DOUBLE_EQ(first.cosine(), whole.cosine());
  EXPECT_DOUBLE_EQ(first.amplitude(), 31.0 / 30);
  EXPECT_DOUBLE_EQ(first.max_abs_error(), whole.max_abs_error());
}

TEST(Distortion, ZerosAreDefined) {
  const std::vector<float> zero{0, 0};
  const std::vector<float> one{1, 0};
  Distortion nothing, exact, worst;
  exact.add(zero, zero);
  worst.add(zero, one);
  EXPECT_EQ(nothing.relative_error(), 0);
  EXPECT_EQ(exact.relative_error(), 0);
  EXPECT_EQ(exact.cosine(), 1);
  EXPECT_TRUE(std::isinf(exact.sqnr_db()));
  EXPECT_TRUE(std::isinf(worst.relative_error()));
  EXPECT_EQ(worst.cosine(), 0);
  EXPECT_EQ(nothing.amplitude(), 1);
  EXPECT_EQ(exact.amplitude(), 1);
  EXPECT_EQ(worst.amplitude(), 1) << "there was nothing to lose";
}

// A figure of 0 would hide the damage.
TEST(Distortion, NoMeasurePassesOverNaN) {
  const float nan = -std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> with{1, nan, 3}, without{1, 2, 4};
  for (const bool is_first : {true, false}) {
    Distortion part, d;
    part.add(is_first ? with : without, is_first ? without : with);
    d.add(part);
    for (const double measure :
         {d.relative_error(), d.sqnr_db(), d.amplitude(), d.max_abs_error(), d.cosine()}) {
      EXPECT_TRUE(std::isnan(measure)) << is_first;
    }
  }
}

TEST(Distortion, NaNHasNoSign) {
  const std::vector<float> w{INFINITY, 1}, v{1, 1};
  Distortion d;
  d.add(w, v);
  for (const double measure : {d.relative_error(), d.sqnr_db(), d.amplitude(), d.cosine()}) {
    EXPECT_TRUE(std::isnan(measure));
    EXPECT_FALSE(std::signbit(measure));
  }
  EXPECT_EQ(d.max_abs_error(), INFINITY);
}

}  // namespace
}  // namespace pqw
