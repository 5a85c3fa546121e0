#include "compress/tensor_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;
using testing::Pair;

std::vector<std::string> unused_keys(const std::string& settings) {
  std::vector<std::string> keys;
  for (const UnusedSetting& unused : unused_settings(parse_settings(settings))) {
    keys.push_back(unused.key);
  }
  return keys;
}

std::string error_of(const std::string& settings) {
  try {
    (void)tensor_settings_from(parse_settings(settings));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(TensorSettings, MeanCodecFallbackAndPolicies) {
  const TensorSettings settings = tensor_settings_from(
      {{"block_size", "8"}, {"fallback.codec", "int8"}, {"non_finite", "plain"}});
  EXPECT_EQ(std::get<PqOptions>(settings.options).block_size, 8u);
  EXPECT_EQ(codec_name(*settings.fallback), "int8");
  EXPECT_TRUE(settings.plain_if_not_finite);
  EXPECT_EQ(codec_name(settings.of(Role::kThin).options), "int8") << "no codec is named";
  EXPECT_EQ(settings.text, "block_size=8,fallback.codec=int8,non_finite=plain");
  EXPECT_FALSE(tensor_settings_from({}).plain_if_not_finite);
}

// The codec of a role, and the note on it.
std::string planned(const Settings& settings, Role role) {
  const TensorSettings all = tensor_settings_from(settings);
  return std::string(codec_name(all.of(role).options)) + all.of(role).note;
}

TEST(TensorSettings, ThinTensorsHaveAPresetOfTheirOwnUnlessACodecIsNamed) {
  EXPECT_EQ(planned({}, Role::kThin), "tcqthin: tcq");
  EXPECT_EQ(planned({}, Role::kTiny), "int8thin: int8");
  EXPECT_EQ(planned({{"for", "serving"}}, Role::kThin), "int8thin: int8");
  EXPECT_EQ(planned({{"thin", "int8"}}, Role::kThin), "int8thin: int8");
  EXPECT_EQ(planned({{"codec", "pq"}}, Role::kThin), "pq");
  EXPECT_EQ(planned({{"codec", "pq"}, {"thin", "int8"}}, Role::kThin), "int8thin: int8");
  EXPECT_EQ(planned({{"fallback.codec", "pq"}}, Role::kTiny), "int8thin: int8");
  EXPECT_EQ(planned({{"thin", "same"}}, Role::kThin), "tcq");
}

TEST(TensorSettings, PresetsGiveWayToSizesSetByHand) {
  const auto inner = [](const Settings& settings) {
    return tensor_settings_from(settings).of(Role::kLarge).options;
  };
  EXPECT_EQ(inner({}), inner({{"quality", "balanced"}})) << "the default";
  EXPECT_NE(inner({}), inner({{"quality", "small"}}));
  EXPECT_NE(inner({}), inner({{"quality", "high"}}));
  EXPECT_EQ(inner({{"codec", "pq"}}), CodecOptions(PqOptions()));
  EXPECT_EQ(inner({{"block_size", "8"}}), CodecOptions(PqOptions{.block_size = 8}));
  EXPECT_EQ(inner({{"centroids", "16"}}), CodecOptions(PqOptions{.n_centroids = 16}));
  EXPECT_EQ(std::get<PqOptions>(inner({{"seed", "3"}})).seed, 3u) << "on top of the preset";
  EXPECT_EQ(std::get<PqOptions>(inner({{"seed", "3"}})).block_size,
            std::get<PqOptions>(inner({{"for", "serving"}})).block_size)
      << "an option that only pq has is for the preset of pq";
  EXPECT_EQ(codec_name(inner({})), "tcq");
  EXPECT_EQ(inner({{"for", "storage"}}), inner({}));
  EXPECT_EQ(error_of("quality=small,block_size=4"),
            "quality=small: block_size=4 takes the place of presets; leave one of them out");
  EXPECT_EQ(inner({{"bits", "3"}}), CodecOptions(TcqOptions{.bits = 3}))
      << "an option that only tcq has means tcq";
  EXPECT_EQ(std::get<TcqOptions>(inner({{"means", "off"}})).bits,
            std::get<TcqOptions>(inner({})).bits)
      << "on top of the preset";
  EXPECT_EQ(error_of("for=serving,block_size=4"),
            "for=serving: block_size=4 takes the place of presets; leave one of them out");
  EXPECT_EQ(error_of("quality=tiny"), "quality=tiny: expected high, balanced or small");
}

TEST(TensorSettings, OptionsThatDoNotSayTheSizeApplyOnTopOfThePreset) {
  const auto of = [](const Settings& settings, Role role) {
    return tensor_settings_from(settings).of(role).options;
  };
  const auto large = std::get<PqOptions>(of({{"for", "serving"}}, Role::kLarge));
  const auto bare = std::get<PqOptions>(of({{"row_scales", "none"}}, Role::kLarge));
  EXPECT_EQ(bare.row_scales, RowScales::kNone);
  EXPECT_EQ(bare.gain_per, GainPer::kTensor) << "rows have no scales";
  EXPECT_EQ(bare.block_size, large.block_size);
  EXPECT_EQ(bare.n_centroids, large.n_centroids);
  EXPECT_EQ(std::get<PqOptions>(of({{"gain_per", "row"}}, Role::kLarge)), large);
  EXPECT_EQ(std::get<PqOptions>(of({{"gain", "none"}, {"for", "serving"}}, Role::kLarge)).gain,
            Gain::kNone);
  EXPECT_EQ(std::get<TcqOptions>(of({{"gain", "none"}}, Role::kLarge)).gain, Gain::kNone);
  for (const Role role : kRoles) {
    const CodecOptions high =
        of({{"quality", "high"}, {"gain", "energy"}, {"for", "serving"}}, role);
    EXPECT_EQ(std::get<Int8Options>(high).gain, Gain::kEnergy);
  }
}

TEST(TensorSettings, ThePresetInTheTextLeavesOutWhatIsSetByHand) {
  const TensorSettings settings = tensor_settings_from({{"row_scales", "none"}});
  EXPECT_EQ(settings.of(Role::kLarge).preset, "codec=pq,block_size=2,centroids=512");
}

TEST(TensorSettings, ATargetChoosesUnlessARuleSetsWhatItChooses) {
  for (const char* key : {"gain", "seed", "importance", "plain_dtype"}) {
    const Settings settings = {{key, key == std::string("gain")          ? "none"
                                     : key == std::string("plain_dtype") ? "f16"
                                                                         : "3"}};
    EXPECT_TRUE(tensor_settings_from(settings, false).is_searched) << key;
  }
  EXPECT_FALSE(tensor_settings_from({{"block_size", "4"}}, false).is_searched);
  EXPECT_FALSE(tensor_settings_from({{"quality", "high"}}).is_searched);
  EXPECT_FALSE(tensor_settings_from({{"codec", "plain"}}).is_searched);
}

TEST(TensorSettings, OptionsThatThePresetDoesNotHaveAreRefused) {
  EXPECT_EQ(error_of("quality=high,seed=3"),
            "seed=3: quality=high chooses int8, which does not have this option; leave one of them "
            "out");
  EXPECT_EQ(error_of("gain=none,gain_per=row"),
            "gain_per=row: gain=none applies no gain; leave one out");
  EXPECT_EQ(error_of("row_scales=none,gain_per=row"),
            "gain_per=row: it needs row_scales=log8 or f16");
  EXPECT_EQ(error_of("quality=small,seed=3"), "no error");
}

TEST(TensorSettings, MistypedKeysAndWordsAreRecognised) {
  EXPECT_THAT(error_of("fallbak.codec=pq"), EndsWith("did you mean 'fallback.KEY'?"));
  EXPECT_THAT(error_of("non_finit=plain"), EndsWith("did you mean 'non_finite'?"));
  EXPECT_THAT(error_of("thinn=plain"), EndsWith("did you mean 'thin'?"));
  EXPECT_THAT(error_of("codek=pq"), EndsWith("did you mean 'codec'?"));
  EXPECT_EQ(error_of("thin=int"), "thin=int: expected int8 or same; did you mean 'int8'?");
  EXPECT_EQ(error_of("non_finite=stop"), "non_finite=stop: expected error or plain");
}

TEST(UnusedSettings, OfFallbacksAndOfPlainTensors) {
  EXPECT_THAT(unused_keys("codec=low_rank,factors.codec=pq,factors.engine=faiss,"
                          "factors.reassign=split,fallback.codec=tensorized,fallback.seed=1"),
              ElementsAre("factors.reassign", "fallback.seed"));
  EXPECT_THAT(unused_keys("codec=plain,non_finite=error,fallback.codec=pq,fallback.seed=1"),
              ElementsAre("non_finite", "fallback.codec", "fallback.seed"));
  EXPECT_THAT(unused_keys("codec=int8,non_finite=error,fallback.codec=pq"), IsEmpty());
}

TEST(UsedSettings, AreWhatHasAnEffectOrIsAskedFor) {
  const Settings settings = parse_settings("codec=tensorized,seed=1,rank=4,restarts=2");
  EXPECT_THAT(used_settings(settings, {}),
              ElementsAre(Pair("codec", "tensorized"), Pair("rank", "4")));
  EXPECT_THAT(used_settings(settings, {{"seed", "5"}}),
              ElementsAre(Pair("codec", "tensorized"), Pair("seed", "1"), Pair("rank", "4")));
}

TEST(LayeredSettings, LaterOnesComeOnTop) {
  const Settings merged = layered({{"block_size", "4"}, {"seed", "1"}}, {{"seed", "2"}});
  EXPECT_EQ(std::get<PqOptions>(options_from(merged)).block_size, 4u);
  EXPECT_EQ(std::get<PqOptions>(options_from(merged)).seed, 2u);
}

TEST(LayeredSettings, AnotherCodecDropsTheOptionsOfTheFirst) {
  EXPECT_THAT(
      layered({{"block_size", "4"}, {"fallback.seed", "1"}, {"thin", "int8"}},
              {{"codec", "plain"}}),
      ElementsAre(Pair("fallback.seed", "1"), Pair("thin", "int8"), Pair("codec", "plain")));
  EXPECT_THAT(layered({{"block_size", "4"}}, {{"codec", "pq"}}),
              ElementsAre(Pair("block_size", "4"), Pair("codec", "pq")));
  EXPECT_THAT(layered({{"rank", "4"}, {"factors.codec", "pq"}, {"factors.seed", "1"}},
                      {{"factors.codec", "plain"}}),
              ElementsAre(Pair("rank", "4"), Pair("factors.codec", "plain")));
}

}  // namespace
}  // namespace pqw
