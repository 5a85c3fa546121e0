// The C API: recipes, compression with progress, and measures of whole files.
#include "pqw/compress/compress.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/c/c_testing.h"
#include "tests/support/file_content.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CCompress : public testing::Test {
 protected:
  void SetUp() override {
    const auto writer = create_weights(
        input_, {{"a.weight", DType::kF32, {128, 96}}, {"b.weight", DType::kF32, {64, 160}}});
    for (const std::size_t n : {128u * 96, 64u * 160}) {
      const auto values = test::normal_values(n, static_cast<unsigned>(n));
      writer->add(std::as_bytes(std::span(values)));
    }
    writer->commit();
    ASSERT_EQ(pqw_recipe_create(&recipe_), PQW_OK);
    ASSERT_EQ(pqw_recipe_set(recipe_, "codec=pq,block_size=4,centroids=16"), PQW_OK)
        << pqw_last_error();
  }
  void TearDown() override { pqw_recipe_destroy(recipe_); }

  // The files in the folder, but for the input.
  std::vector<std::string> outputs() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      if (entry.path() != input_) names.push_back(entry.path().filename());
    }
    return names;
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "m.safetensors", output_ = dir_ / "m.h5";
  pqw_recipe* recipe_ = nullptr;
};

TEST_F(CCompress, WritesTheArchiveOfTheLibrary) {
  ASSERT_EQ(pqw_recipe_add_rule(recipe_, "^b", "codec=int8"), PQW_OK);
  pqw_summary summary = PQW_SUMMARY_INIT;
  ASSERT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe_, nullptr, &summary), PQW_OK)
      << pqw_last_error();
  const std::string expected = dir_ / "expected.h5";
  const Report report = compress(input_, expected,
                                 {.defaults = parse_settings("codec=pq,block_size=4,centroids=16"),
                                  .rules = {{{"^b"}, parse_settings("codec=int8")}}});
  EXPECT_EQ(test::content(output_), test::content(expected));
  EXPECT_EQ(summary.n_tensors, 2u);
  EXPECT_EQ(summary.original_bytes, (128u * 96 + 64 * 160) * 4);
  EXPECT_EQ(summary.file_bytes, std::filesystem::file_size(output_));
  EXPECT_EQ(summary.bits_per_weight, report.bits_per_weight());
  EXPECT_EQ(summary.relative_error, report.distortion()->relative_error());
  EXPECT_GT(summary.relative_error, 0.01);
}

TEST_F(CCompress, IncludesAndExcludes) {
  ASSERT_EQ(pqw_recipe_include(recipe_, "weight"), PQW_OK);
  ASSERT_EQ(pqw_recipe_exclude(recipe_, "^a"), PQW_OK);
  ASSERT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe_, nullptr, nullptr), PQW_OK);
  const Model model(output_);
  EXPECT_EQ(model.codec("a.weight"), "plain");
  EXPECT_EQ(model.codec("b.weight"), "pq");
}

TEST_F(CCompress, TargetsAndRecipeFiles) {
  pqw_recipe* recipe = nullptr;
  ASSERT_EQ(pqw_recipe_create(&recipe), PQW_OK);
  ASSERT_EQ(pqw_recipe_set_target(recipe, PQW_TARGET_BITS_PER_WEIGHT, 4), PQW_OK);
  pqw_summary summary = PQW_SUMMARY_INIT;
  ASSERT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe, nullptr, &summary), PQW_OK)
      << pqw_last_error();
  EXPECT_LE(summary.bits_per_weight, 4);
  EXPECT_EQ(pqw_recipe_set_target(recipe, PQW_TARGET_SIZE, -1), PQW_INVALID_ARGUMENT);
  EXPECT_EQ(pqw_recipe_set_target(recipe, PQW_TARGET_SIZE, NAN), PQW_INVALID_ARGUMENT);
  EXPECT_EQ(pqw_recipe_set_target(recipe, static_cast<pqw_target>(4), 1), PQW_INVALID_ARGUMENT);
  pqw_recipe_destroy(recipe);

  test::set_content(dir_ / "recipe.yaml", "defaults: {codec: int8}\n");
  ASSERT_EQ(pqw_recipe_read((dir_ / "recipe.yaml").c_str(), &recipe), PQW_OK);
  pqw_compress_options options = PQW_COMPRESS_OPTIONS_INIT;
  EXPECT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe, &options, nullptr), PQW_EXISTS);
  options.flags = PQW_OVERWRITE;
  EXPECT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe, &options, nullptr), PQW_OK);
  EXPECT_EQ(Model(output_).codec("a.weight"), "int8");
  pqw_recipe_destroy(recipe);
}

TEST_F(CCompress, RefusesWrongRecipesAtOnce) {
  EXPECT_EQ(pqw_recipe_set(recipe_, "block_sise=4"), PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("block_size"));
  EXPECT_EQ(pqw_recipe_add_rule(recipe_, "(", "codec=int8"), PQW_INVALID_ARGUMENT);
  EXPECT_EQ(pqw_recipe_include(recipe_, "["), PQW_INVALID_ARGUMENT);
  EXPECT_EQ(pqw_recipe_exclude(recipe_, "["), PQW_INVALID_ARGUMENT);
  pqw_recipe* none = nullptr;
  EXPECT_EQ(pqw_recipe_read((dir_ / "none.yaml").c_str(), &none), PQW_NOT_FOUND);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe_, nullptr, nullptr), PQW_OK)
      << "the wrong calls changed nothing: " << pqw_last_error();
}

struct Seen {
  std::map<pqw_stage, int> stages = {};
  std::vector<std::string> done = {};
  std::size_t n_done = 0, n_total = 0;
  std::optional<pqw_stage> cancel_at = {};
};

int see(const pqw_progress* progress, void* user) {
  Seen& seen = *static_cast<Seen*>(user);
  ++seen.stages[progress->stage];
  if (progress->stage == PQW_STAGE_TENSOR_DONE) seen.done.emplace_back(progress->tensor);
  if (progress->stage != PQW_STAGE_SEARCH) {
    seen.n_done = progress->n_done;
    seen.n_total = progress->n_total;
  }
  return progress->stage == seen.cancel_at;
}

TEST_F(CCompress, TellsTheProgress) {
  Seen seen;
  pqw_compress_options options = PQW_COMPRESS_OPTIONS_INIT;
  options.progress = see;
  options.user = &seen;
  ASSERT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe_, &options, nullptr), PQW_OK);
  EXPECT_THAT(seen.done, ElementsAre("a.weight", "b.weight"));
  EXPECT_EQ(seen.n_done, 2u);
  EXPECT_EQ(seen.n_total, 2u);
  EXPECT_EQ(seen.stages[PQW_STAGE_START], 1);
  EXPECT_GE(seen.stages[PQW_STAGE_TENSOR], 1);
  EXPECT_GE(seen.stages[PQW_STAGE_ITERATION], 2);
  EXPECT_EQ(seen.stages[PQW_STAGE_SEARCH], 0);
}

TEST_F(CCompress, AnyCallMayCancelAndLeavesNothing) {
  const auto expect_cancelled = [&](pqw_stage stage, const pqw_recipe* recipe) {
    Seen seen{.cancel_at = stage};
    pqw_compress_options options = PQW_COMPRESS_OPTIONS_INIT;
    options.progress = see;
    options.user = &seen;
    EXPECT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe, &options, nullptr),
              PQW_CANCELLED);
    EXPECT_STREQ(pqw_last_error(), "cancelled by the progress function");
    EXPECT_THAT(outputs(), IsEmpty()) << stage;
    // Several threads may be in iterations and probes when one of them is told to end.
    const bool has_threads = stage == PQW_STAGE_ITERATION || stage == PQW_STAGE_SEARCH;
    EXPECT_GE(seen.stages[stage], 1);
    EXPECT_TRUE(has_threads || seen.stages[stage] == 1) << stage;
  };
  for (const pqw_stage stage :
       {PQW_STAGE_START, PQW_STAGE_TENSOR, PQW_STAGE_ITERATION, PQW_STAGE_TENSOR_DONE}) {
    expect_cancelled(stage, recipe_);
  }
  pqw_recipe* recipe = nullptr;
  ASSERT_EQ(pqw_recipe_create(&recipe), PQW_OK);
  ASSERT_EQ(pqw_recipe_set_target(recipe, PQW_TARGET_RATIO, 8), PQW_OK);
  expect_cancelled(PQW_STAGE_SEARCH, recipe);
  pqw_recipe_destroy(recipe);
}

TEST_F(CCompress, EvaluatesAndVerifies) {
  pqw_summary made = PQW_SUMMARY_INIT, measured = PQW_SUMMARY_INIT;
  ASSERT_EQ(pqw_compress(input_.c_str(), output_.c_str(), recipe_, nullptr, &made), PQW_OK);
  ASSERT_EQ(pqw_evaluate(input_.c_str(), output_.c_str(), 0, &measured), PQW_OK);
  EXPECT_EQ(measured.relative_error, made.relative_error);
  EXPECT_EQ(measured.file_bytes, made.file_bytes);
  std::size_t n = 0;
  EXPECT_EQ(pqw_verify(output_.c_str(), 0, &n), PQW_OK);
  EXPECT_EQ(n, 2u);
  EXPECT_EQ(pqw_verify(output_.c_str(), PQW_TRUSTED, nullptr), PQW_OK);

  std::string bytes = test::content(output_);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  test::set_content(output_, bytes);
  EXPECT_EQ(pqw_verify(output_.c_str(), 0, nullptr), PQW_CORRUPT);
  EXPECT_EQ(pqw_verify(input_.c_str(), 0, nullptr), PQW_FORMAT);
}

}  // namespace
}  // namespace pqw
