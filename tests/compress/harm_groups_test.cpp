// Groups of tensors, measured by functions whose harms are known.
#include "compress/harm_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace pqw {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::Pointwise;
using testing::SizeIs;

// Units of one weight whose squared and relative errors are 1 at each of the points.
std::vector<HarmUnit> equal_units(std::size_t n, std::size_t n_points = 1) {
  const std::vector<double> ones(n_points, 1.0);
  return std::vector<HarmUnit>(n, {1, ones, ones});
}

class HarmGroups : public testing::Test {
 protected:
  // Unit i does harm i at one point; the harm of a group is the sum.
  std::vector<HarmGroup> run(const std::vector<double>& harms, const HarmLimits& limits) {
    const auto harm_of = [&](const UnitRange& range) {
      return std::accumulate(harms.begin() + static_cast<std::ptrdiff_t>(range.begin),
                             harms.begin() + static_cast<std::ptrdiff_t>(range.end), 0.0);
    };
    return measure_groups(equal_units(harms.size()), {harm_of({0, harms.size()})}, limits,
                          [&](const std::vector<UnitRange>& ranges) {
                            std::vector<std::vector<double>> measured;
                            for (const UnitRange& range : ranges) {
                              measured.push_back({harm_of(range)});
                              measured_.push_back(range);
                            }
                            return measured;
                          });
  }

  std::vector<UnitRange> measured_;
};

std::vector<UnitRange> ranges(const std::vector<HarmGroup>& groups) {
  std::vector<UnitRange> all;
  for (const HarmGroup& group : groups) all.push_back(group.units);
  return all;
}

TEST_F(HarmGroups, EachUnitIsMeasuredAloneIfThereAreRunsEnough) {
  const auto groups = run({1, 0, 3}, {.most_runs = 3});
  EXPECT_THAT(ranges(groups), ElementsAre(UnitRange{0, 1}, UnitRange{1, 2}, UnitRange{2, 3}));
  EXPECT_THAT(groups[2].harms, ElementsAre(3));
}

TEST_F(HarmGroups, TheGroupWithTheMostHarmPerUnitIsSplit) {
  // 7 runs: 3 groups first (2, 2 and 4 units), then two splits of two runs.
  const auto groups = run({0, 0, 0, 0, 0, 0, 9, 0}, {.most_runs = 7});
  EXPECT_THAT(measured_, SizeIs(7));
  EXPECT_THAT(ranges(groups), ElementsAre(UnitRange{0, 2}, UnitRange{2, 4}, UnitRange{4, 6},
                                          UnitRange{6, 7}, UnitRange{7, 8}));
  EXPECT_THAT(groups[3].harms, ElementsAre(9));
}

TEST_F(HarmGroups, WithoutRunsAllUnitsAreOneGroup) {
  const auto groups = run({1, 2, 3, 4}, {.most_runs = 1});
  EXPECT_THAT(ranges(groups), ElementsAre(UnitRange{0, 4}));
  EXPECT_THAT(measured_, SizeIs(0));
}

TEST_F(HarmGroups, GroupsWithinTheNoiseAreNotSplit) {
  const auto groups = run({0.1, 0.1, 0.1, 0.1, 5, 5, 5, 5}, {.most_runs = 7, .noise = 0.5});
  EXPECT_THAT(groups.front().units, (UnitRange{0, 2}));
  EXPECT_THAT(run({0.1, 0.1}, {.most_runs = 9, .noise = 0.5}), SizeIs(1));
}

TEST_F(HarmGroups, AreOfAboutEqualWeights) {
  std::vector<HarmUnit> units = equal_units(4);
  units[0].n_weights = 100;
  std::vector<UnitRange> asked;
  measure_groups(units, {1}, {.most_runs = 2}, [&](const std::vector<UnitRange>& ranges) {
    asked = ranges;
    return std::vector<std::vector<double>>(ranges.size(), {0.0});
  });
  EXPECT_THAT(asked, ElementsAre(UnitRange{0, 1}, UnitRange{1, 4}));
}

TEST_F(HarmGroups, UnitsThatAPointLeavesAsTheyAreNeedNoRun) {
  std::vector<HarmUnit> units = equal_units(2, 2);
  units[1].squared_errors = {0, 1};
  EXPECT_EQ(runs_of(units, {0, 1}), 2u);
  EXPECT_EQ(runs_of(units, {1, 2}), 1u);
  EXPECT_EQ(runs_of(units, {0, 2}), 2u);
}

TEST_F(HarmGroups, UnitsShareTheHarmByTheirSquaredErrors) {
  std::vector<HarmUnit> units = equal_units(3);
  units[1].squared_errors = {3};
  const std::vector<HarmGroup> groups = {{{0, 2}, {8}}, {{2, 3}, {5}}};
  EXPECT_THAT(shared_harms(units, groups),
              ElementsAre(ElementsAre(2), ElementsAre(6), ElementsAre(5)));
}

TEST_F(HarmGroups, ImportancesAreHarmPerRelativeErrorWithAMeanOfOne) {
  std::vector<HarmUnit> units = equal_units(2, 2);
  units[0].relative_errors = {0.1, 0.3};
  units[1].relative_errors = {0.2, 0.2};
  const std::vector<std::vector<double>> harms = {{1, 3}, {3, 9}};  // 10 and 30 per error
  EXPECT_THAT(importances_of(units, harms), Pointwise(DoubleEq(), {0.5, 1.5}));
}

TEST_F(HarmGroups, NoImportanceIsBelowASixteenthOfTheMean) {
  // The mean of 15, 0 and 0 is 5: the others get 5 / 16. Then the mean is (15 + 10 / 16) / 3.
  const std::vector<double> found =
      importances_of(equal_units(3), std::vector<std::vector<double>>{{15}, {0}, {-2}});
  EXPECT_NEAR(found[0], 45 / 15.625, 1e-12);
  EXPECT_NEAR(found[1], 3 * 0.3125 / 15.625, 1e-12);
  EXPECT_EQ(found[1], found[2]);
}

TEST_F(HarmGroups, WithoutHarmAllImportancesAreOne) {
  EXPECT_THAT(importances_of(equal_units(2), std::vector<std::vector<double>>{{0}, {-1}}),
              ElementsAre(1, 1));
}

}  // namespace
}  // namespace pqw
