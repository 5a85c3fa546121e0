#include "pqw/pipeline/recipe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pqw/core/error.h"
#include "pqw/pipeline/plan.h"
#include "tests/temp_dir.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(ParseRule, SplitsAtTheLastColon) {
  const Rule rule = parse_rule("a:b.*:block_size=4,centroids=64");
  EXPECT_EQ(rule.pattern, "a:b.*");
  EXPECT_THAT(rule.settings, ElementsAre(Pair("block_size", "4"), Pair("centroids", "64")));
}

TEST(ParseRule, RefusesOtherTexts) {
  for (const char* text : {"", "abc", ":a=1", "x:", "x:a", "x:a=1,", "x:=1"}) {
    EXPECT_THROW(parse_rule(text), Error) << text;
  }
}

TEST(ReadRecipe, SaysWhatTheFlagsSay) {
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml") << "defaults: {block_size: auto, centroids: 128}\n"
                                   "include: ['weight$']\n"
                                   "exclude: [embed, 'head\\.']\n"
                                   "tensors:\n"
                                   "  - {pattern: 'conv.*', block_size: 9}\n"
                                   "  - pattern: fc\n"
                                   "    codec: plain\n";
  const Recipe recipe = read_recipe(dir / "r.yaml");
  EXPECT_THAT(recipe.defaults, ElementsAre(Pair("block_size", "auto"), Pair("centroids", "128")));
  EXPECT_THAT(recipe.include, ElementsAre("weight$"));
  EXPECT_THAT(recipe.exclude, ElementsAre("embed", "head\\."));
  ASSERT_EQ(recipe.rules.size(), 2u);
  EXPECT_EQ(recipe.rules[0].pattern, "conv.*");
  EXPECT_THAT(recipe.rules[0].settings, ElementsAre(Pair("block_size", "9")));
  EXPECT_THAT(recipe.rules[1].settings, ElementsAre(Pair("codec", "plain")));
}

TEST(ReadRecipe, NestedMapsAndListsAreSettingsToo) {
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml") << "tensors:\n"
                                   "  - {pattern: fc, fallback: {block_size: 4}}\n"
                                   "defaults: {centroids: 16}\n";
  const Recipe recipe = read_recipe(dir / "r.yaml");
  EXPECT_THAT(recipe.rules[0].settings, ElementsAre(Pair("fallback.block_size", "4")));
  EXPECT_THAT(recipe.defaults, ElementsAre(Pair("centroids", "16")));
}

TEST(ReadRecipe, ReadsTheExamplesOfTheDocumentation) {
  std::size_t n_recipes = 0;
  for (const auto& file : std::filesystem::directory_iterator(PQW_RECIPES)) {
    ++n_recipes;
    EXPECT_NO_THROW(check_recipe(read_recipe(file.path()))) << file.path();
  }
  EXPECT_GE(n_recipes, 4u);
  const Recipe recipe = read_recipe(std::string(PQW_RECIPES) + "/low_rank_pq.yaml");
  EXPECT_THAT(recipe.defaults,
              ElementsAre(Pair("codec", "low_rank"), Pair("energy", "0.95"),
                          Pair("factors.codec", "pq"), Pair("factors.block_size", "4"),
                          Pair("fallback.codec", "pq"), Pair("fallback.block_size", "4")));
}

void expect_refused(const std::string& text, const std::string& message) {
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml") << text;
  try {
    read_recipe(dir / "r.yaml");
    FAIL() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(ReadRecipe, MistakesNameTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"defaults: 4\n", "line 1"},
      {"\nrules: []\n", "line 2: unknown key 'rules'"},
      {"tensors:\n  - {block_size: 4}\n", "line 2: a rule needs a pattern"},
      {"defaults:\n  seed: 1\n  bs: 4\n", "line 3: codec pq: unknown option 'bs'"},
      {"tensors:\n  - {pattern: a, block_size: 0}\n", "line 2: block_size=0"},
      {"tensors:\n  - pattern: a\n    fallback:\n      bs: 4\n",
       "line 4: codec pq: unknown option"},
      {"tensors:\n  - {pattern: a, block_size: [1, 2]}\n", "line 2: block_size=1x2"},
      {"defaults: &d {seed: 1, fallback: *d}\n", "r.yaml"},
      {"include: x\n", "list of patterns"},
      {"defaults: {seed: 1}\ndefaults: {seed: 2}\n", "line 2: 'defaults' is there twice"},
      {"defaults:\n  seed: 1\n  seed: 2\n", "line 3: 'seed' is there twice"},
      {"defaults: {factors: {codec: pq}, factors: {seed: 1}}\n", "'factors' is there twice"},
      {"defaults:\n  factors: {codec: pq}\n  factors.codec: pq\n",
       "'factors.codec' is there twice"},
      {"tensors: {a: 1}\n", "list of rules"},
      {"a: [\n", "r.yaml"},
      {"- 1\n", "expected the keys"},
      {"", "r.yaml: expected the keys"}};
  for (const auto& [text, message] : cases) expect_refused(text, message);
}

// Short texts that stand for long ones, of settings and of patterns.
TEST(ReadRecipe, AliasesOfAliasesAreRefused) {
  std::string settings = "defaults:\n  a0: &a0 {p: 1, q: 1}\n";
  std::string patterns = "exclude: [&a " + std::string(100'000, 'x');
  for (int i = 1; i < 100; ++i) {
    settings += fmt::format("  a{}: &a{} {{p: *a{}, q: *a{}}}\n", i, i, i - 1, i - 1);
    patterns += ", *a";
  }
  expect_refused(settings, "too many settings");
  expect_refused(patterns + "]\n", "too many values, aliases counted");
}

}  // namespace
}  // namespace pqw
