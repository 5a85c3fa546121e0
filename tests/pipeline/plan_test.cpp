#include "pqw/pipeline/plan.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"

namespace pqw {
namespace {

const std::vector<TensorInfo> kTensors{
    {"conv.weight", DType::kF32, {64, 32, 3, 3}},
    {"conv.bias", DType::kF32, {64}},
    {"fc.weight", DType::kF16, {10, 64}},
    {"steps", DType::kI64, {4, 4}},
    {"none", DType::kF32, {0, 8}},
};

TEST(AutoBlockSize, FollowsTheKernel) {
  EXPECT_EQ(auto_block_size(Shape{64, 32, 3, 3}), 9u);
  EXPECT_EQ(auto_block_size(Shape{64, 32, 1, 1}), 4u);
  EXPECT_EQ(auto_block_size(Shape{64, 32, 1}), 4u);
  EXPECT_EQ(auto_block_size(Shape{1000, 512}), 8u);
  EXPECT_EQ(auto_block_size(Shape{64, 3, 7, 7}), 7u);   // 147 = 3 * 7 * 7
  EXPECT_EQ(auto_block_size(Shape{64, 16, 5, 5}), 8u);  // 400
  EXPECT_EQ(auto_block_size(Shape{64, 5, 5}), 5u);      // 25
  EXPECT_EQ(auto_block_size(Shape{8, 1, 11}), 11u);
  EXPECT_EQ(auto_block_size(Shape{8, 1, 13}), 13u);
  EXPECT_EQ(auto_block_size(Shape{8, 1, 17}), 1u);
  EXPECT_EQ(auto_block_size(Shape{8, 3, 3}), 9u);
}

TEST(MakePlan, SaysWhyATensorStaysPlain) {
  const auto plan = make_plan(kTensors, {});
  ASSERT_EQ(plan.size(), kTensors.size());
  EXPECT_TRUE(plan[0].compress);
  EXPECT_EQ(plan[0].options.block_size, 9u);
  EXPECT_EQ(plan[1].reason, "rank below 2");
  EXPECT_TRUE(plan[2].compress);
  EXPECT_EQ(plan[2].options.block_size, 8u);
  EXPECT_EQ(plan[3].reason, "not a float tensor");
  EXPECT_EQ(plan[4].reason, "no elements");
}

TEST(MakePlan, IncludeAndExcludeSelect) {
  const auto plan = make_plan(kTensors, {.include = {"weight"}, .exclude = {"^fc"}});
  EXPECT_TRUE(plan[0].compress);
  EXPECT_EQ(plan[2].reason, "excluded");
  EXPECT_EQ(make_plan(kTensors, {.include = {"fc"}})[0].reason, "not included");
}

TEST(MakePlan, FirstMatchingRuleCountsOnTopOfTheDefaults) {
  const Recipe recipe{.defaults = {{"centroids", "64"}, {"block_size", "4"}},
                      .rules = {{"fc", {{"codec", "plain"}}},
                                {"weight", {{"block_size", "auto"}, {"seed", "7"}}},
                                {"conv", {{"seed", "8"}}}}};
  const auto plan = make_plan(kTensors, recipe);
  EXPECT_EQ(plan[0].options.block_size, 9u);
  EXPECT_EQ(plan[0].options.n_centroids, 64u);
  EXPECT_EQ(plan[0].options.seed, 7u);
  EXPECT_EQ(plan[2].reason, "codec plain");
}

TEST(MakePlan, BlocksAreNoLongerThanARow) {
  const std::vector<TensorInfo> tensors{{"thin", DType::kF32, {5000, 3}},
                                        {"kernel", DType::kF32, {500, 2, 1, 1}}};
  const auto automatic = make_plan(tensors, {});
  EXPECT_EQ(automatic[0].options.block_size, 3u);
  EXPECT_EQ(automatic[1].options.block_size, 2u);
  const auto asked = make_plan(tensors, {.defaults = {{"block_size", "1048576"}}});
  EXPECT_EQ(asked[0].options.block_size, 3u);
}

TEST(CheckRecipe, NeedsNoTensors) {
  EXPECT_NO_THROW(check_recipe({.rules = {{"decoder", {{"block_size", "auto"}}}}}));
  EXPECT_THROW(check_recipe({.include = {"("}}), Error);
  EXPECT_THROW(check_recipe({.exclude = {"["}}), Error);
  EXPECT_THROW(check_recipe({.rules = {{"*", {}}}}), Error);
  EXPECT_THROW(check_recipe({.rules = {{"a", {{"codec", "zip"}}}}}), Error);
  EXPECT_THROW(check_settings({{"seed", "x"}}), Error);
}

TEST(MakePlan, PatternsThatMatchNothingOrMeanNothingAreErrors) {
  EXPECT_THROW(make_plan(kTensors, {.include = {"decoder"}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.exclude = {"decoder"}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.rules = {{"decoder", {}}}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.include = {"("}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.defaults = {{"centroids", "1"}}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.rules = {{"bias", {{"codec", "zip"}}}}}), Error);
}

}  // namespace
}  // namespace pqw
