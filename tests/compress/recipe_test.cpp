#include "pqw/compress/recipe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pqw/compress/recipe.h"
#include "pqw/core/error.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

auto text_is(const std::string& text) { return testing::Field(&Pattern::text, text); }

TEST(ParseRule, SplitsAtTheLastColon) {
  const Rule rule = parse_rule("a:b.*:block_size=4,centroids=64");
  EXPECT_EQ(rule.pattern.text, "a:b.*");
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
  EXPECT_THAT(recipe.include, ElementsAre(text_is("weight$")));
  EXPECT_THAT(recipe.exclude, ElementsAre(text_is("embed"), text_is("head\\.")));
  ASSERT_EQ(recipe.rules.size(), 2u);
  EXPECT_EQ(recipe.rules[0].pattern.text, "conv.*");
  EXPECT_THAT(recipe.rules[0].settings, ElementsAre(Pair("block_size", "9")));
  EXPECT_THAT(recipe.rules[1].settings, ElementsAre(Pair("codec", "plain")));
}

TEST(ParseRecipe, ReadsJsonAndNamesItAsTheCallerDoes) {
  const Recipe recipe = parse_recipe(
      R"({"defaults": {"codec": "pq"}, "tensors": [{"pattern": "é\\.", "block_size": 9}]})",
      "mine");
  EXPECT_THAT(recipe.defaults, ElementsAre(Pair("codec", "pq")));
  EXPECT_EQ(recipe.rules[0].pattern.text, "é\\.");
  EXPECT_EQ(recipe.rules[0].pattern.where, "mine: line 1");
  EXPECT_EQ(recipe.file, "");
  try {
    parse_recipe("{", "mine");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), testing::StartsWith("mine: "));
  }
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

TEST(ReadRecipe, PatternsKnowWhereTheyStandAndWhetherTheyAreOptional) {
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml")
      << "include:\n  - weight\n  - {pattern: bias, optional: true}\n"
         "tensors:\n  - pattern: fc\n    optional: yes\n    centroids: 4\n"
         "  - {optional: false, pattern: conv}\n";
  const Recipe recipe = read_recipe(dir / "r.yaml");
  EXPECT_EQ(recipe.file, dir / "r.yaml");
  const Pattern patterns[] = {recipe.include[0], recipe.include[1], recipe.rules[0].pattern,
                              recipe.rules[1].pattern};
  const std::tuple<std::string, int, bool> expected[] = {
      {"weight", 2, false}, {"bias", 3, true}, {"fc", 5, true}, {"conv", 8, false}};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& [text, line, optional] = expected[i];
    EXPECT_EQ(patterns[i].text, text);
    EXPECT_EQ(patterns[i].where, fmt::format("{}: line {}", recipe.file, line));
    EXPECT_EQ(patterns[i].optional, optional) << text;
  }
  EXPECT_THAT(recipe.rules[0].settings, ElementsAre(Pair("centroids", "4")));
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
      {"tensors:\n  - pattern: a\n    engine: faiss\n    reassign: split\n",
       "line 4: reassign=split: engine=faiss does not support it"},
      {"defaults:\n  codec: tensorized\n  seed: 1\ntensors:\n  - {pattern: a, rank: 4}\n",
       "line 3: seed=1: form=tt uses no random numbers"},
      {"defaults: {seed: 1}\ndefaults: {seed: 2}\n", "line 2: 'defaults' appears twice"},
      {"defaults:\n  seed: 1\n  seed: 2\n", "line 3: 'seed' appears twice"},
      {"defaults: {factors: {codec: pq}, factors: {seed: 1}}\n", "'factors' appears twice"},
      {"defaults:\n  factors: {codec: pq}\n  factors.codec: pq\n", "'factors.codec' appears twice"},
      {"tensors: {a: 1}\n", "list of rules"},
      {"tensor: []\n",
       "line 1: unknown key 'tensor': expected defaults, include, exclude or "
       "tensors; did you mean 'tensors'?"},
      {"tensors:\n  - {patern: a, block_size: 4}\n",
       "line 2: unknown key 'patern': expected pattern or optional; did you mean 'pattern'?"},
      {"tensors:\n  - {pattern: a, optinal: true}\n", "did you mean 'optional'?"},
      {"tensors:\n  - {pattern: a, optional: often}\n", "line 2: optional: expected true or false"},
      {"tensors:\n  - {pattern: [a, b]}\n", "line 2: expected a single value"},
      {"tensors:\n  - {pattern: ''}\n", "line 2: the pattern is empty"},
      {"tensors:\n\n  - {pattern: 'a('}\n", "r.yaml: line 3: pattern 'a(': missing )"},
      {"exclude:\n  - 'a['\n", "r.yaml: line 2: pattern 'a[': missing ]"},
      {"include:\n  - {pattern: a, seed: 1}\n",
       "line 2: unknown key 'seed': expected pattern or optional"},
      {"include: [[a]]\n", "line 1: expected a single value"},
      {"defaults:\n  seed: 1\n  blocksize: 4\n", "did you mean 'block_size'?"},
      {"a: [\n", "r.yaml"},
      {"- 1\n", "expected the keys"},
      {"", "r.yaml: expected the keys"}};
  for (const auto& [text, message] : cases) expect_refused(text, message);
}

TEST(ReadRecipe, SizeAndDepthAreBounded) {
  constexpr std::size_t kMebi = std::size_t{1} << 20;
  const std::string defaults = "defaults: {seed: 1}\n#";
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml") << defaults << std::string(kMebi - defaults.size(), 'x');
  EXPECT_EQ(read_recipe(dir / "r.yaml").defaults.size(), 1u);
  expect_refused(defaults + std::string(kMebi - defaults.size() + 1, 'x'),
                 "1048577 bytes, a recipe has 1048576 at most");
  std::string settings = "defaults:\n";
  for (int i = 0; i <= 1000; ++i) settings += fmt::format("  a{}: 1\n", i);
  expect_refused(settings, "line 1002: too many settings");
  std::string nested;
  for (int i = 0; i < 150; ++i) nested += "{ab: ";
  expect_refused("defaults: " + nested + "1" + std::string(150, '}'), "nested too deep");
  expect_refused(std::string(100'000, '['), "r.yaml");
  expect_refused(std::string(100'000, '-') + " a", "r.yaml");
}

TEST(ReadRecipe, DefaultsMayHoldWhatOnlySomeRulesUse) {
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml") << "defaults: {codec: tensorized, seed: 1, engine: faiss}\n";
  EXPECT_THROW(read_recipe(dir / "r.yaml"), Error) << "tensorized has no engine";
  std::ofstream(dir / "r.yaml") << "defaults: {codec: tensorized, seed: 1}\n"
                                   "tensors: [{pattern: a, form: cp}, {pattern: b, rank: 4}]\n";
  EXPECT_EQ(read_recipe(dir / "r.yaml").rules.size(), 2u);
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
