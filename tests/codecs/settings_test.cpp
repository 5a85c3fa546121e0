#include "pqw/codecs/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

std::string error_of(const Settings& settings) {
  try {
    (void)options_from(settings);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Settings, PartsAreSplitOffAndPutBack) {
  const auto [part, others] =
      split({{"a", "1"}, {"factors.b", "2"}, {"factors.c.d", "3"}}, "factors");
  EXPECT_THAT(part, ElementsAre(Pair("b", "2"), Pair("c.d", "3")));
  EXPECT_THAT(others, ElementsAre(Pair("a", "1")));
  EXPECT_THAT(under("factors", part),
              ElementsAre(Pair("factors.b", "2"), Pair("factors.c.d", "3")));
  EXPECT_THAT(split({{"factors", "1"}}, "factors").part, IsEmpty());
}

TEST(OptionsFrom, TheCodecIsPqUnlessSaidOtherwise) {
  EXPECT_EQ(std::get<PqOptions>(options_from({})).block_size, 4u);
  EXPECT_EQ(std::get<PqOptions>(options_from({})).gain, Gain::kUnbiased);
  EXPECT_EQ(codec_name(options_from({{"codec", "plain"}})), "plain");
  EXPECT_EQ(codec_name(options_from({}, "plain")), "plain");
}

TEST(OptionsFrom, MistakesNameCodecAndKeyAndWhatIsKnown) {
  EXPECT_THAT(error_of({{"codec", "zip"}}), HasSubstr("codec=zip: expected plain, pq, int8, "));
  EXPECT_THAT(error_of({{"bs", "4"}}),
              HasSubstr("codec pq: unknown option 'bs': expected block_size"));
  EXPECT_THAT(error_of({{"codec", "plain"}, {"seed", "4"}}),
              HasSubstr("codec plain: unknown option 'seed'"));
  EXPECT_THAT(error_of({{"factors.codec", "pq"}}),
              HasSubstr("codec pq: unknown option 'factors.codec': it has no factors"));
}

TEST(OptionsFrom, MistypedWordsAreRecognised) {
  const std::pair<Settings, std::string> mistakes[] = {
      {{{"blocksize", "4"}}, "entropy_coding; did you mean 'block_size'?"},
      {{{"block-size", "4"}}, "did you mean 'block_size'?"},
      {{{"centroid", "4"}}, "did you mean 'centroids'?"},
      {{{"codek", "pq"}}, "did you mean 'codec'?"},
      {{{"factors", "pq"}}, "did you mean 'factors.KEY'?"},
      {{{"codec", "lowrank"}}, "did you mean 'low_rank'?"},
      {{{"codec", "int"}}, "did you mean 'int8'?"},
      {{{"block_size", "auot"}}, "from 1 to 1048576 or auto; did you mean 'auto'?"},
      {{{"codec", "tensorized"}, {"rank", "sam"}}, "or same; did you mean 'same'?"},
      {{{"codec", "tensorized"}, {"out", "atuo"}}, "or auto; did you mean 'auto'?"},
      {{{"init", "rand"}}, "init=rand: expected ++ or random; did you mean 'random'?"},
      {{{"reassign", "farest"}}, "split or farthest; did you mean 'farthest'?"},
      {{{"codebook", "fp16"}}, "f16 or f32; did you mean 'f16'?"},
      {{{"engine", "fais"}}, "native or faiss; did you mean 'faiss'?"},
      {{{"codec", "int8"}, {"per", "rows"}}, "row or tensor; did you mean 'row'?"},
      {{{"codec", "int8"}, {"schema", "affine"}}, "gain; did you mean 'scheme'?"},
      {{{"codec", "int8"}, {"scheme", "Affine"}}, "did you mean 'affine'?"},
      {{{"codec", "low_rank"}, {"svd", "random"}}, "did you mean 'randomized'?"},
      {{{"codec", "low_rank"}, {"energy_of", "value"}}, "did you mean 'values'?"},
      {{{"codec", "tensorized"}, {"form", "tuker"}}, "did you mean 'tucker'?"},
      {{{"codec", "tensorized"}, {"factors.codec", "pg"}}, "did you mean 'pq'?"}};
  for (const auto& [settings, message] : mistakes) {
    EXPECT_THAT(error_of(settings), testing::EndsWith(message));
  }
  EXPECT_THAT(error_of({{"zip", "1"}}), testing::EndsWith("row_scales or entropy_coding"));
}

}  // namespace
}  // namespace pqw
