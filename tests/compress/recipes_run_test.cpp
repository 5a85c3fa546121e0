// The recipes of the documentation run on any model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "pqw/compress/compress.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

// A transformer, and a network that has none of the names that the recipes know.
const std::vector<TensorInfo> kTransformer = {
    {"embed.weight", DType::kF32, {100, 32}},  {"h.0.attn.weight", DType::kF16, {96, 32}},
    {"h.0.norm.weight", DType::kF32, {32}},    {"h.0.fc1.weight", DType::kF32, {64, 32}},
    {"h.0.fc2.weight", DType::kF32, {32, 64}}, {"h.1.attn.weight", DType::kF16, {96, 32}},
    {"h.1.fc1.weight", DType::kF32, {64, 32}}, {"h.1.fc2.weight", DType::kF32, {32, 64}},
    {"head.weight", DType::kF32, {70, 32}}};
const std::vector<TensorInfo> kGeneric = {{"a", DType::kF32, {48, 33}},
                                          {"b", DType::kF32, {16, 8, 3, 3}},
                                          {"c", DType::kBF16, {32, 16, 5}},
                                          {"d", DType::kF32, {7}}};

std::vector<std::string> recipes() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(PQW_RECIPES)) {
    names.push_back(file.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

class ShippedRecipe : public testing::TestWithParam<std::string> {
 protected:
  Recipe recipe() const {
    return read_recipe(std::filesystem::path(PQW_RECIPES) / (GetParam() + ".yaml"));
  }
  bool compresses(const Report& report) const {
    return std::ranges::any_of(report.tensors, &TensorReport::compressed);
  }
};

TEST_P(ShippedRecipe, RunsOnSmallModels) {
  const test::TempDir dir;
  const std::string input = dir / "m.safetensors", archive = dir / "m.h5";
  for (const auto& tensors : {kTransformer, kGeneric}) {
    test::write_normal_weights(input, tensors);
    const Report report = compress(input, archive, recipe(), {.overwrite = true});
    EXPECT_TRUE(compresses(report) || GetParam() == "low_rank") << "whose rank is 64";
    EXPECT_EQ(verify(archive), tensors.size());
  }
}

TEST_P(ShippedRecipe, IsWrittenAsARuleForEachTensor) {
  const test::TempDir dir;
  const std::string input = dir / "m.safetensors", rules = dir / "rules.yaml";
  test::write_normal_weights(input, kTransformer);
  const Report report = compress(input, dir / "m.h5", recipe());
  std::ofstream(rules) << recipe_text(report);
  compress(input, dir / "again.h5", read_recipe(rules));
  EXPECT_EQ(test::content(dir / "again.h5"), test::content(dir / "m.h5"));
}

TEST_P(ShippedRecipe, PlansTheModelOfTheDemo) {
  EXPECT_TRUE(compresses(plan_compression(PQW_DEMO_MODEL, recipe())));
}

INSTANTIATE_TEST_SUITE_P(, ShippedRecipe, testing::ValuesIn(recipes()),
                         [](const auto& recipe) { return recipe.param; });

}  // namespace
}  // namespace pqw
