#include "compress/plan.h"

#include <gmock/gmock.h>
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

const std::string& reason(const WorkItem& item) { return std::get<Keep>(item.action).reason; }

const std::vector<CodecOptions>& candidates(const WorkItem& item) {
  return std::get<Encode>(item.action).candidates;
}

const PqOptions& pq_of(const WorkItem& item) { return std::get<PqOptions>(candidates(item)[0]); }

TEST(MakePlan, SaysWhyATensorStaysPlain) {
  const auto plan = make_plan(kTensors, {.defaults = {{"codec", "pq"}}});
  ASSERT_EQ(plan.size(), kTensors.size());
  EXPECT_EQ(pq_of(plan[0]).block_size, 4u);
  EXPECT_EQ(reason(plan[1]), "rank below 2");
  EXPECT_EQ(pq_of(plan[2]).block_size, 4u);
  EXPECT_EQ(reason(plan[3]), "not a float tensor");
  EXPECT_EQ(reason(plan[4]), "no elements");
}

TEST(MakePlan, IncludeAndExcludeSelect) {
  const auto plan = make_plan(kTensors, {.include = {"weight"}, .exclude = {"^fc"}});
  EXPECT_EQ(reason(plan[2]), "excluded");
  EXPECT_EQ(reason(make_plan(kTensors, {.include = {"fc"}})[0]), "not included");
}

TEST(MakePlan, FirstMatchingRuleCountsOnTopOfTheDefaults) {
  const Recipe recipe{.defaults = {{"centroids", "64"}, {"block_size", "4"}},
                      .rules = {{"fc", {{"codec", "plain"}}},
                                {"weight", {{"block_size", "auto"}, {"seed", "7"}}},
                                {"conv", {{"seed", "8"}}}}};
  const auto plan = make_plan(kTensors, recipe);
  EXPECT_EQ(pq_of(plan[0]).block_size, 9u);
  EXPECT_EQ(pq_of(plan[0]).n_centroids, 64u);
  EXPECT_EQ(pq_of(plan[0]).seed, 7u);
  EXPECT_EQ(reason(plan[2]), "codec plain");
}

TEST(MakePlan, BlocksAreNoLongerThanARow) {
  const std::vector<TensorInfo> tensors{{"thin", DType::kF32, {5000, 3}},
                                        {"kernel", DType::kF32, {500, 2, 1, 1}}};
  const auto automatic =
      make_plan(tensors, {.defaults = {{"codec", "pq"}, {"block_size", "auto"}}});
  EXPECT_EQ(pq_of(automatic[0]).block_size, 3u);
  EXPECT_EQ(pq_of(automatic[1]).block_size, 2u);
  const auto asked = make_plan(tensors, {.defaults = {{"codec", "pq"}, {"block_size", "1048576"}}});
  EXPECT_EQ(pq_of(asked[0]).block_size, 3u);
}

// 128 x 96 weights: int8 takes 12288 bytes and 128 scales of 4. Blocks of 1 with 256 centroids take
// 12288 bytes and 512 of codebooks; with 128 centroids, 7/8 of the codes and 256 bytes.
TEST(MakePlan, PrefersInt8WherePqIsNotSmaller) {
  const std::vector<TensorInfo> tensors{{"w", DType::kF32, {128, 96}}};
  const auto plan = [&](const Recipe& recipe) { return make_plan(tensors, recipe); };
  const Settings large = {{"block_size", "1"}}, small = {{"block_size", "1"}, {"centroids", "128"}};
  const auto replaced = plan({.defaults = large});
  ASSERT_EQ(candidates(replaced[0]).size(), 2u);
  EXPECT_TRUE(std::holds_alternative<Int8Options>(candidates(replaced[0])[1]));
  EXPECT_EQ(std::get<Encode>(replaced[0].action).first_below, 12800u);
  EXPECT_EQ(candidates(plan({.defaults = small})[0]).size(), 1u);
  EXPECT_EQ(candidates(plan({.rules = {{"w", large}}})[0]).size(), 1u) << "a rule sets its options";
}

TEST(MakePlan, ARuleThatChangesTheCodecLeavesItsOptionsBehind) {
  const Recipe recipe{.defaults = {{"centroids", "64"}, {"fallback.codec", "pq"}},
                      .rules = {{"fc", {{"codec", "plain"}}}, {"conv", {{"codec", "pq"}}}}};
  const auto plan = make_plan(kTensors, recipe);
  EXPECT_EQ(reason(plan[2]), "codec plain");
  EXPECT_EQ(pq_of(plan[0]).n_centroids, 64u) << "the same codec keeps them";
}

TEST(MakePlan, FallbacksAreOptionsOfTheirOwn) {
  const Recipe recipe{.defaults = {{"fallback.block_size", "2"}, {"for", "serving"}},
                      .rules = {{"fc", {{"fallback.codec", "plain"}}}}};
  const auto plan = make_plan(kTensors, recipe);
  EXPECT_EQ(std::get<PqOptions>(candidates(plan[0])[1]).block_size, 2u);
  EXPECT_EQ(pq_of(plan[0]).n_centroids, 512u) << "by the preset";
  EXPECT_EQ(candidates(plan[2]).size(), 1u) << "plain is what remains anyway";
}

TEST(CheckRecipe, NeedsNoTensors) {
  EXPECT_NO_THROW(check_recipe({.rules = {{"decoder", {{"block_size", "auto"}}}}}));
  EXPECT_THROW(check_recipe({.include = {"("}}), Error);
  EXPECT_THROW(check_recipe({.exclude = {"["}}), Error);
  EXPECT_THROW(check_recipe({.rules = {{"*", {}}}}), Error);
  EXPECT_THROW(check_recipe({.rules = {{"a", {{"codec", "zip"}}}}}), Error);
  EXPECT_THROW(check_settings({{"seed", "x"}}), Error);
  EXPECT_THROW(check_settings({{"thin", "plain"}}), Error);
  EXPECT_NO_THROW(check_settings({{"thin", "same"}}));
}

// What the plan has in mind for one tensor of floats, other than to leave it plain.
std::string planned(const Shape& shape, const Recipe& recipe = {}, const Layout& layout = {}) {
  const std::vector<TensorInfo> tensors{{"w", DType::kF32, shape, {}, layout}};
  const auto plan = make_plan(tensors, recipe);
  const std::string& note = std::get<Encode>(plan[0].action).note;
  return codec_name(candidates(plan[0])[0]) + (note.empty() ? "" : " " + note);
}

TEST(MakePlan, ThinTensorsAreToldByKindAndSize) {
  const Recipe serving{.defaults = {{"for", "serving"}}};
  EXPECT_EQ(planned({512, 1, 3, 3}), "tcq thin: tcq") << "depthwise";
  EXPECT_EQ(planned({512, 1, 3, 3}, serving), "int8 thin: int8");
  EXPECT_EQ(planned({512, 1, 1, 3}), "int8 thin: int8") << "tiny";
  EXPECT_EQ(planned({4096, 1, 9}), "tcq thin: tcq") << "in one dimension";
  EXPECT_EQ(planned({2048, 1, 3, 3}, {}, {Kind::kDepthwise}), "tcq thin: tcq");
  EXPECT_EQ(planned({2048, 1, 3, 3}, {}, {Kind::kConv}), "tcq") << "of one channel";
  EXPECT_EQ(planned({3, 3, 1024, 2}, {}, {Kind::kDepthwise, {2, 3, 0, 1}}), "tcq thin: tcq");
  EXPECT_EQ(planned({16384, 1}), "tcq") << "a matrix of one column";
  EXPECT_EQ(planned({512, 2, 3, 3}), "tcq") << "2 channels a group";
  EXPECT_EQ(planned({1, 1024, 3, 3}), "tcq") << "one output";
  EXPECT_EQ(planned({64, 128}), "tcq") << "8192 weights";
  EXPECT_EQ(planned({8191, 1}), "tcq thin: tcq");
  EXPECT_EQ(planned({2047, 1}), "int8 thin: int8");
}

TEST(MakePlan, PresetsGoByTheShareOfTheFile) {
  // 400,000 weights in all, of which a fortieth are 10,000.
  const std::vector<TensorInfo> tensors{{"thin", DType::kF32, {81, 100}},
                                        {"small", DType::kF32, {99, 100}},
                                        {"large", DType::kF32, {100, 100}},
                                        {"bias", DType::kF32, {1000000}},
                                        {"rest", DType::kF32, {3720, 100}}};
  const auto plan = make_plan(tensors, {.defaults = {{"for", "serving"}}});
  EXPECT_EQ(codec_name(candidates(plan[0])[0]), "int8") << "of 8100 weights";
  EXPECT_EQ(pq_of(plan[1]).block_size, 1u);
  EXPECT_EQ(pq_of(plan[1]).n_centroids, 64u);
  EXPECT_EQ(pq_of(plan[2]).block_size, 2u);
  EXPECT_EQ(pq_of(plan[2]).n_centroids, 512u);
  EXPECT_EQ(pq_of(plan[2]).row_scales, RowScales::kLog8);
  EXPECT_EQ(pq_of(plan[2]).gain_per, GainPer::kRow);
  const auto high = make_plan(tensors, {.defaults = {{"quality", "high"}, {"for", "serving"}}});
  EXPECT_EQ(codec_name(candidates(high[4])[0]), "int8");
  const auto small = make_plan(tensors, {.defaults = {{"quality", "small"}, {"for", "serving"}}});
  EXPECT_EQ(pq_of(small[1]).block_size, 1u);
  EXPECT_EQ(pq_of(small[4]).n_centroids, 64u);
  EXPECT_EQ(pq_of(small[4]).block_size, 2u);
}

TEST(MakePlan, PresetsGiveBitsByRole) {
  const std::vector<TensorInfo> tensors{{"large", DType::kF32, {500, 1000}},
                                        {"tall", DType::kF32, {6144, 32}},
                                        {"small", DType::kF32, {100, 82}},
                                        {"narrow", DType::kF32, {2000, 31}},
                                        {"thin", DType::kF32, {81, 100}}};
  const auto bits = [&](const char* quality) {
    std::vector<double> all;
    for (const WorkItem& item : make_plan(tensors, {.defaults = {{"quality", quality}}})) {
      const auto& tcq = std::get<TcqOptions>(candidates(item)[0]);
      EXPECT_EQ(tcq.scales, TcqScales::kNone);
      all.push_back(tcq.bits);
    }
    return all;
  };
  using testing::ElementsAre;
  EXPECT_THAT(bits("high"), ElementsAre(6, 6, 6, 6, 8));
  EXPECT_THAT(bits("balanced"), ElementsAre(4, 4.5, 5.5, 4.5, 7));
  EXPECT_THAT(bits("small"), ElementsAre(3, 3.5, 4.5, 3.5, 6));
}

TEST(MakePlan, TallTensorsHaveMoreCentroids) {
  const auto centroids = [](const Shape& shape, const char* quality, Kind kind = Kind::kUnknown) {
    TensorInfo info{"w", DType::kF32, shape};
    info.layout.kind = kind;
    return pq_of(make_plan({&info, 1}, {.defaults = {{"quality", quality}, {"for", "serving"}}})[0])
        .n_centroids;
  };
  EXPECT_EQ(centroids({6144, 1024}, "balanced"), 1024u);
  EXPECT_EQ(centroids({6144, 1025}, "balanced"), 512u) << "fewer than 6 rows for each column";
  EXPECT_EQ(centroids({2048, 100}, "balanced"), 1024u);
  EXPECT_EQ(centroids({2047, 100}, "balanced"), 512u) << "few rows";
  EXPECT_EQ(centroids({2048, 8, 8}, "balanced"), 512u) << "a convolution";
  EXPECT_EQ(centroids({1000, 300}, "balanced", Kind::kEmbedding), 1024u);
  EXPECT_EQ(centroids({6144, 1024}, "small"), 64u);
}

TEST(MakePlan, NarrowTensorsHaveNoScalesOfRows) {
  const auto pq = [](const Shape& shape, const Settings& defaults,
                     const std::vector<std::size_t>& axes = {}) {
    TensorInfo info{"w", DType::kF32, shape};
    info.layout.axes = axes;
    Settings for_serving = defaults;
    for_serving.emplace_back("for", "serving");
    return pq_of(make_plan({&info, 1}, {.defaults = for_serving})[0]);
  };
  const PqOptions narrow = pq({2000, 31}, {}), wide = pq({2000, 32}, {});
  EXPECT_EQ(wide.row_scales, RowScales::kLog8);
  EXPECT_EQ(wide.gain_per, GainPer::kRow);
  EXPECT_EQ(narrow.row_scales, RowScales::kNone);
  EXPECT_EQ(narrow.gain_per, GainPer::kTensor);
  EXPECT_EQ(narrow.block_size, 2u);
  EXPECT_EQ(narrow.n_centroids, 1024u);
  EXPECT_EQ(pq({2000, 31}, {{"quality", "small"}}).n_centroids, 64u);
  EXPECT_EQ(pq({2000, 31}, {{"gain_per", "row"}}), narrow) << "rows have no scales";
  EXPECT_EQ(pq({2000, 31}, {{"row_scales", "log8"}}).row_scales, RowScales::kLog8);
  EXPECT_EQ(pq({31, 2000}, {}).row_scales, RowScales::kLog8);
  EXPECT_EQ(pq({31, 2000}, {}, {1, 0}).row_scales, RowScales::kNone) << "2000 rows";
  const PqOptions column = pq({20000, 1}, {});
  EXPECT_EQ(column.row_scales, RowScales::kNone);
  EXPECT_EQ(column.block_size, 1u);
  EXPECT_EQ(column.n_centroids, 64u);
}

TEST(MakePlan, ThinTensorsHaveTheCodecThatIsNamed) {
  const Shape thin{512, 1, 3, 3};
  EXPECT_EQ(planned(thin, {.defaults = {{"codec", "pq"}}}), "pq");
  EXPECT_EQ(planned(thin, {.rules = {{"w", {{"codec", "pq"}}}}}), "pq");
  EXPECT_EQ(planned(thin, {.defaults = {{"codec", "low_rank"}, {"rank", "1"}}}), "low_rank");
  EXPECT_EQ(planned(thin, {.defaults = {{"block_size", "9"}}}), "int8 thin: int8") << "no codec";
  EXPECT_EQ(planned(thin, {.defaults = {{"fallback.codec", "pq"}}}), "tcq thin: tcq");
  EXPECT_EQ(planned(thin, {.rules = {{"w", {{"block_size", "2"}}}}}), "pq") << "an option of pq";
  EXPECT_EQ(planned(thin, {.rules = {{"w", {{"non_finite", "plain"}}}}}), "tcq thin: tcq");
  EXPECT_EQ(planned(thin, {.rules = {{"w", {{"block_size", "2"}, {"thin", "int8"}}}}}),
            "int8 thin: int8");
  const std::vector<TensorInfo> two{{"a", DType::kF32, thin}, {"b", DType::kF32, thin}};
  const auto plan = make_plan(two, {.rules = {{"a", {{"codec", "pq"}}}}});
  EXPECT_EQ(codec_name(candidates(plan[0])[0]), "pq");
  EXPECT_EQ(codec_name(candidates(plan[1])[0]), "tcq") << "the rule is not for this one";
}

TEST(MakePlan, ThinCanBeSaidOfAnyCodec) {
  const Shape thin{512, 1, 3, 3};
  EXPECT_EQ(planned(thin, {.defaults = {{"thin", "same"}}}), "tcq");
  EXPECT_EQ(planned(thin, {.defaults = {{"thin", "int8"}, {"codec", "pq"}}}), "int8 thin: int8");
  EXPECT_EQ(planned(thin, {.defaults = {{"thin", "int8"}}, .rules = {{"w", {{"codec", "pq"}}}}}),
            "int8 thin: int8");
  EXPECT_EQ(planned(thin, {.defaults = {{"thin", "int8"}}, .rules = {{"w", {{"thin", "same"}}}}}),
            "tcq");
  EXPECT_EQ(planned({512, 2, 3, 3}, {.defaults = {{"thin", "int8"}}}), "tcq") << "not thin";
  const Recipe affine{.defaults = {{"thin", "int8"}, {"codec", "int8"}, {"scheme", "affine"}}};
  EXPECT_EQ(planned(thin, affine), "int8") << "keeps its options";
}

TEST(MakePlan, ThinTensorsStayPlainWhereOthersWould) {
  const std::vector<TensorInfo> tensors{{"a.weight", DType::kF32, {8, 8}},
                                        {"b.weight", DType::kF32, {8, 8}},
                                        {"b.bias", DType::kF32, {8}},
                                        {"b.table", DType::kI8, {8, 8}}};
  auto plan = make_plan(tensors, {.include = {"^b"}});
  EXPECT_EQ(reason(plan[0]), "not included");
  EXPECT_EQ(codec_name(candidates(plan[1])[0]), "int8");
  EXPECT_EQ(reason(plan[2]), "rank below 2");
  EXPECT_EQ(reason(plan[3]), "not a float tensor");
  plan = make_plan(tensors, {.rules = {{"a", {{"codec", "plain"}}}}, .exclude = {"^b"}});
  EXPECT_EQ(reason(plan[0]), "codec plain");
  EXPECT_EQ(reason(plan[1]), "excluded");
  EXPECT_EQ(candidates(make_plan(tensors, {.defaults = {{"fallback.codec", "pq"}}})[0]).size(), 1u)
      << "int8 or plain";
}

TEST(CheckRecipe, SettingsWithoutEffectAreRefusedWhereTheyAreAskedFor) {
  const auto refused = [](const Recipe& recipe) {
    try {
      check_recipe(recipe);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string no_seed = "seed=1: form=tt uses no random numbers; use form=cp";
  const Settings tt = {{"codec", "tensorized"}, {"seed", "1"}};
  EXPECT_EQ(refused({.defaults = tt}), no_seed);
  EXPECT_EQ(refused({.rules = {{"fc", tt}}}), no_seed);
  EXPECT_EQ(refused({.defaults = {{"codec", "tensorized"}}, .rules = {{"fc", {{"seed", "1"}}}}}),
            no_seed);
  EXPECT_EQ(refused({.defaults = tt, .rules = {{"fc", {{"rank", "4"}}}}}), no_seed)
      << "no rule uses it either";
  EXPECT_EQ(refused({.defaults = tt, .rules = {{"fc", {{"form", "cp"}}}, {"b", {{"rank", "4"}}}}}),
            "")
      << "a rule uses it";
  EXPECT_EQ(
      refused({.defaults = {{"reassign", "split"}}, .rules = {{"fc", {{"engine", "faiss"}}}}}), "")
      << "inherited";
  EXPECT_EQ(refused({.defaults = {{"engine", "faiss"}}, .rules = {{"fc", {{"explore", "9"}}}}}),
            "explore=9: engine=faiss does not support it; use engine=native");
  EXPECT_EQ(refused({.defaults = {{"fallback.codec", "pq"}, {"non_finite", "error"}},
                     .rules = {{"fc", {{"codec", "plain"}}}}}),
            "");
  EXPECT_EQ(refused({.defaults = {{"codec", "plain"}, {"fallback.codec", "pq"}}}),
            "fallback.codec=pq: codec=plain needs no fallback; leave one of them out");
  EXPECT_EQ(refused({.defaults = {{"codec", "low_rank"},
                                  {"factors.codec", "tensorized"},
                                  {"factors.iterations", "4"}}}),
            "factors.iterations=4: form=tt is computed without iterations; use form=cp or tucker");
}

TEST(MakePlan, SettingsThatOnlySomeRulesUseReachThese) {
  const Recipe recipe{.defaults = {{"codec", "tensorized"}, {"seed", "7"}, {"rank", "3"}},
                      .rules = {{"conv", {{"form", "cp"}}}}};
  const auto plan = make_plan(kTensors, recipe);
  EXPECT_EQ(std::get<TensorizedOptions>(candidates(plan[0])[0]).seed, 7u);
  EXPECT_EQ(std::get<TensorizedOptions>(candidates(plan[2])[0]).seed, 0u);
}

TEST(MakePlan, AdoptedValuesTakeTheirScaleAndZeroPoint) {
  const std::vector<TensorInfo> tensors{{"a_scale", DType::kF32, {16}},
                                        {"a", DType::kI8, {16, 8}},
                                        {"bias", DType::kF32, {16}},
                                        {"a_zero_point", DType::kI8, {16}}};
  const auto plan = make_plan(tensors, {.defaults = {{"codec", "int8"}}});
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<AdoptInt8>(plan[0].action));
  EXPECT_THAT(plan[0].tensors, testing::ElementsAre(1, 0, 3));
  EXPECT_EQ(reason(plan[1]), "rank below 2");
  EXPECT_EQ(make_plan(tensors, {.defaults = {{"codec", "pq"}}}).size(), 4u);
}

TEST(MakePlan, CandidatesThatHaveNothingToGainAreLeftOut) {
  // 9 * (10 + 64) parameters are more than 10 * 64.
  const Recipe recipe{.defaults = {{"codec", "low_rank"}, {"rank", "9"}, {"fallback.codec", "pq"}}};
  const std::vector<TensorInfo> tensors{{"w", DType::kF32, {10, 64}}};
  const auto plan = make_plan(tensors, recipe);
  ASSERT_EQ(candidates(plan[0]).size(), 1u);
  EXPECT_EQ(codec_name(candidates(plan[0])[0]), "pq");
  const auto none = make_plan(tensors, {.defaults = {{"codec", "low_rank"}, {"rank", "9"}}});
  EXPECT_THAT(reason(none[0]), testing::Not(testing::IsEmpty()));
}

TEST(MakePlan, PatternsThatMatchNothingOrMeanNothingAreErrors) {
  EXPECT_THROW(make_plan(kTensors, {.include = {"decoder"}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.exclude = {"decoder"}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.rules = {{"decoder", {}}}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.include = {"("}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.defaults = {{"centroids", "1"}}}), Error);
  EXPECT_THROW(make_plan(kTensors, {.rules = {{"bias", {{"codec", "zip"}}}}}), Error);
}

Pattern standing_at(const char* where, const char* text, bool optional = false) {
  Pattern pattern(text);
  pattern.where = where;
  pattern.optional = optional;
  return pattern;
}

std::string message_of(const Recipe& recipe) {
  try {
    make_plan(kTensors, recipe);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(MakePlan, ErrorsSayWhereThePatternStands) {
  EXPECT_EQ(message_of({.exclude = {standing_at("--exclude", "decoder")}}),
            "--exclude: pattern 'decoder' matches no tensor");
  EXPECT_EQ(message_of({.include = {standing_at("r.yaml: line 7", "(")}}),
            "r.yaml: line 7: pattern '(': missing ): (");
  EXPECT_EQ(message_of({.rules = {{standing_at("r.yaml: line 2", "decoder"), {}}}}),
            "r.yaml: line 2: pattern 'decoder' matches no tensor");
  EXPECT_THAT(message_of({.rules = {{standing_at("--set", "fc"), {{"codec", "zip"}}}}}),
              testing::StartsWith("--set: codec=zip: "));
  EXPECT_THAT(message_of({.rules = {{"fc", {{"codec", "tensorized"}, {"out", "3x3"}}}}}),
              testing::StartsWith("tensor 'fc.weight': out=3x3: "));
}

TEST(MakePlan, OptionalPatternsMayMatchNothing) {
  const Pattern decoder = standing_at("r.yaml: line 1", "decoder", true);
  const auto plan =
      make_plan(kTensors, {.rules = {{decoder, {{"codec", "int8"}}}}, .exclude = {decoder, "^fc"}});
  EXPECT_EQ(reason(plan[2]), "excluded");
  EXPECT_EQ(codec_name(candidates(plan[0])[0]), "tcq") << "by the preset";
  // Nothing is included where nothing matches.
  EXPECT_EQ(reason(make_plan(kTensors, {.include = {decoder}})[0]), "not included");
}

}  // namespace
}  // namespace pqw
