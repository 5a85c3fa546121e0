#include "compress/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::ElementsAre;

// Slopes of the hull: 4 per byte from 10 to 20 bytes, 1 from 20 to 30, 0.5 from 30 to 40.
const Points kA = {{10, 60}, {20, 20}, {30, 10}, {40, 5}};
// 3 per byte from 10 to 20 bytes, 0.1 from 20 to 60.
const Points kB = {{10, 40}, {20, 10}, {60, 6}};

TEST(ConvexHull, LeavesOutPointsAboveIt) {
  // From (10, 60) to (30, 10) the slope is 2.5: the point (20, 40) lies above that line, (25, 20)
  // below the line 60 - 2.5 (25 - 10) = 22.5.
  EXPECT_THAT(convex_hull({{10, 60}, {20, 40}, {30, 10}}), ElementsAre(0, 2));
  EXPECT_THAT(convex_hull({{10, 60}, {25, 20}, {30, 10}}), ElementsAre(0, 1, 2));
}

TEST(ConvexHull, LeavesOutPointsThatAreLargerAndNoBetter) {
  EXPECT_THAT(convex_hull({{10, 5}, {20, 5}, {30, 6}}), ElementsAre(0));
  EXPECT_THAT(convex_hull({{30, 1}, {10, 6}, {10, 5}}), ElementsAre(2, 0)) << "in any order";
  EXPECT_THAT(convex_hull({{10, 5}, {10, 5}}), ElementsAre(0)) << "the first of equal points";
}

TEST(ConvexHull, LeavesOutPointsOnALine) {
  EXPECT_THAT(convex_hull({{10, 30}, {20, 20}, {30, 10}}), ElementsAre(0, 2));
}

TEST(ChooseBySize, TakesTheSteepestStepsThatFit) {
  const std::vector<Points> tensors = {kA, kB};
  EXPECT_EQ(choose_by_size(tensors, 19), std::nullopt);
  EXPECT_EQ(*choose_by_size(tensors, 20), (Choice{{0, 0}, 4}));
  EXPECT_EQ(*choose_by_size(tensors, 30), (Choice{{1, 0}, 3}));
  EXPECT_EQ(*choose_by_size(tensors, 40), (Choice{{1, 1}, 1}));
  EXPECT_EQ(*choose_by_size(tensors, 49), (Choice{{1, 1}, 1}));
  EXPECT_EQ(*choose_by_size(tensors, 50), (Choice{{2, 1}, 0.5}));
  EXPECT_EQ(*choose_by_size(tensors, 1000), (Choice{{3, 2}, 0}));
}

TEST(ChooseBySize, FillsTheRoomThatALongStepLeaves) {
  // After both steps of 10 bytes, the next one on the hull, 1 per byte, needs 90 bytes.
  const Points wide = {{10, 200}, {20, 100}, {40, 95}, {110, 10}};
  const Points flat = {{10, 40}, {20, 10}, {35, 9}};
  const std::vector<Points> tensors = {wide, flat};
  EXPECT_THAT(choose_by_size(tensors, 40)->points, ElementsAre(1, 1));
  // 15 bytes of `flat` save 1, 1/15 per byte; 20 bytes of `wide` save 5, 1/4 per byte.
  EXPECT_THAT(choose_by_size(tensors, 55)->points, ElementsAre(1, 2));
  EXPECT_THAT(choose_by_size(tensors, 60)->points, ElementsAre(2, 1)) << "not on the hull";
  EXPECT_THAT(choose_by_size(tensors, 75)->points, ElementsAre(2, 2));
}

TEST(ChooseByError, TakesTheCheapestStepBelowIt) {
  const std::vector<Points> tensors = {kA, kB};
  EXPECT_THAT(choose_by_error(tensors, 100)->points, ElementsAre(0, 0));
  EXPECT_THAT(choose_by_error(tensors, 61)->points, ElementsAre(1, 0));  // 20 + 40
  EXPECT_THAT(choose_by_error(tensors, 30)->points, ElementsAre(1, 1));  // 20 + 10
  EXPECT_THAT(choose_by_error(tensors, 29)->points, ElementsAre(2, 1));  // 10 + 10
  EXPECT_THAT(choose_by_error(tensors, 11)->points, ElementsAre(3, 2));  // 5 + 6
  EXPECT_EQ(choose_by_error(tensors, 10), std::nullopt);
}

TEST(ChooseByError, MayLeaveTheHull) {
  // From (10, 50) the hull goes to (110, 10). An error of 46 needs 20 bytes more, off the hull.
  EXPECT_THAT(choose_by_error(std::vector<Points>{{{10, 50}, {30, 46}, {110, 10}}}, 46)->points,
              ElementsAre(1));
}

TEST(Choices, AddUpTheirPoints) {
  const std::vector<Points> tensors = {kA, kB};
  const Choice choice{{2, 1}};
  EXPECT_EQ(bytes_of(tensors, choice), 50u);
  EXPECT_EQ(error_of(tensors, choice), 20);
  EXPECT_THAT(smallest_choice(tensors).points, ElementsAre(0, 0));
}

}  // namespace
}  // namespace pqw
