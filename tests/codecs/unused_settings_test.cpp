// Every option of every codec: where it has an effect, and where it is refused as it has none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> unused_keys(const std::string& settings) {
  std::vector<std::string> keys;
  for (const UnusedSetting& unused : unused_options(parse_settings(settings))) {
    keys.push_back(unused.key);
  }
  return keys;
}

std::string error_of(const std::string& settings) {
  try {
    (void)options_from(parse_settings(settings));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

TEST(UnusedOptions, NoneOfPq) {
  for (const char* settings :
       {"block_size=4,centroids=16,groups=2,iterations=5,seed=1,init=++,restarts=2,explore=4,"
        "reassign=farthest,tolerance=0.1,codebook=f32,engine=native",
        "init=random,restarts=2,reassign=split,tolerance=0,seed=3",
        "init=random,explore=0",  // all blocks, as random starts have it
        "engine=faiss,init=random,restarts=3,seed=4,iterations=2,groups=2,codebook=f32",
        "engine=faiss,tolerance=0,explore=0", "iterations=0,init=++,explore=4,seed=2",
        "iterations=0,restarts=1", "gain_per=row,row_scales=log8", "gain_per=tensor",
        "effort=fast,restarts=2,iterations=5", "effort=max,engine=faiss,init=random"}) {
    EXPECT_THAT(unused_keys(settings), IsEmpty()) << settings;
    EXPECT_EQ(error_of(settings), "") << settings;
  }
}

TEST(UnusedOptions, OfPq) {
  EXPECT_THAT(unused_keys("engine=faiss,reassign=split,explore=5,tolerance=0.1,init=++,restarts=2"),
              ElementsAre("reassign", "explore", "tolerance", "init"));
  EXPECT_THAT(unused_keys("explore=5,init=random"), ElementsAre("explore"));
  EXPECT_THAT(unused_keys("iterations=0,restarts=2,tolerance=0.1,reassign=split"),
              ElementsAre("restarts", "tolerance", "reassign"));
  EXPECT_EQ(error_of("gain_per=row"), "gain_per=row: it needs row_scales=log8 or f16");
  EXPECT_THAT(unused_keys("effort=max,restarts=2,iterations=5,tolerance=0"), ElementsAre("effort"));
  EXPECT_THAT(unused_keys("effort=max,iterations=0"), ElementsAre("effort"));
  EXPECT_EQ(error_of("reassign=farthest,engine=faiss"),
            "reassign=farthest: engine=faiss does not support it; use engine=native");
}

TEST(UnusedOptions, NoneOfInt8) {
  EXPECT_EQ(error_of("codec=int8,per=tensor,scheme=affine,activations=batch,gain=energy"), "");
}

TEST(UnusedOptions, NoneOfLowRank) {
  for (const char* settings : {"rank=4,svd=randomized,seed=2", "dim_ratio=0.5,svd=auto,seed=2",
                               "energy=0.5,svd=full", "energy=0.5,energy_of=values,init=zeros",
                               "gain=unbiased,rank=3", "rank=2,init=zeros,factors.codec=pq"}) {
    EXPECT_EQ(error_of(std::string("codec=low_rank,") + settings), "") << settings;
  }
}

TEST(UnusedOptions, OfLowRank) {
  const std::string codec = "codec=low_rank,";
  EXPECT_THAT(unused_keys(codec + "energy_of=values"), ElementsAre("energy_of"));
  EXPECT_THAT(unused_keys(codec + "energy=0.9,energy_of=values,rank=4"), ElementsAre("energy_of"));
  EXPECT_THAT(unused_keys(codec + "energy=0.9,svd=randomized,seed=2"), ElementsAre("svd", "seed"));
  EXPECT_THAT(unused_keys(codec + "svd=full,seed=2"), ElementsAre("seed"));
  EXPECT_THAT(unused_keys(codec + "init=zeros,svd=auto,seed=2"), ElementsAre("svd", "seed"));
  EXPECT_THAT(unused_keys(codec + "init=zeros,gain=energy"), ElementsAre("gain"));
  EXPECT_EQ(error_of(codec + "svd=full,seed=2"), "seed=2: svd=full uses no random numbers");
}

TEST(UnusedOptions, NoneOfTensorized) {
  for (const char* settings :
       {"form=cp,rank=4,modes=2,iterations=5,restarts=2,tolerance=0.1,seed=1,joint=x",
        "form=tucker,rank=4,out=auto,in=auto,modes=2,iterations=5,tolerance=0.1",
        "form=tt,rank=4,out=2x2,modes=2,joint=x", "form=ttm,rank=same,out=2x2,in=2x2",
        "form=cp,iterations=0,seed=1,restarts=1"}) {
    EXPECT_EQ(error_of(std::string("codec=tensorized,") + settings), "") << settings;
  }
}

TEST(UnusedOptions, OfTensorized) {
  const std::string codec = "codec=tensorized,";
  for (const char* form : {"tt", "ttm"}) {
    EXPECT_THAT(unused_keys(codec + "form=" + form + ",iterations=5,tolerance=0,restarts=1,seed=0"),
                ElementsAre("iterations", "tolerance", "restarts", "seed"));
  }
  EXPECT_THAT(unused_keys(codec + "iterations=5"), ElementsAre("iterations")) << "form is tt";
  EXPECT_THAT(unused_keys(codec + "form=tucker,restarts=2,seed=3"),
              ElementsAre("restarts", "seed"));
  EXPECT_THAT(unused_keys(codec + "out=2x2,in=2x2,modes=2"), ElementsAre("modes"));
  EXPECT_THAT(unused_keys(codec + "form=cp,iterations=0,restarts=2,tolerance=0.1"),
              ElementsAre("restarts", "tolerance"));
  EXPECT_EQ(error_of(codec + "seed=3"), "seed=3: form=tt uses no random numbers; use form=cp");
}

TEST(UnusedOptions, OfFactors) {
  EXPECT_THAT(unused_keys("codec=low_rank,factors.codec=pq,factors.engine=faiss,"
                          "factors.reassign=split"),
              ElementsAre("factors.reassign"));
  EXPECT_EQ(error_of("codec=low_rank,factors.codec=tensorized,factors.seed=3"),
            "seed=3: form=tt uses no random numbers; use form=cp");
}

TEST(UnusedOptions, AreNotToldOfSettingsThatAreWrong) {
  EXPECT_THAT(unused_keys("engine=faiss,reassign=never"), IsEmpty());
  EXPECT_THAT(error_of("engine=faiss,reassign=never"), HasSubstr("expected split or farthest"));
}

}  // namespace
}  // namespace pqw
