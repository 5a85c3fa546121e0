#include "pqw/codecs/foresight.h"

#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

Foresight of(const char* settings) { return foresight(options_from(parse_settings(settings))); }

TEST(Foresight, TellsWhatLearningMayChange) {
  for (const char* known :
       {"codec=pq", "iterations=12", "iterations=1,init=random", "iterations=1,engine=faiss",
        "codec=int8", "codec=plain", "codec=low_rank", "codec=low_rank,energy=0.5",
        "codec=low_rank,init=zeros,factors.codec=pq", "codec=tensorized",
        "codec=tensorized,form=cp,iterations=1"}) {
    EXPECT_EQ(of(known), Foresight::kOutcome) << known;
  }
  for (const char* sized :
       {"iterations=11", "iterations=0,init=random", "codec=low_rank,factors.codec=int8",
        "codec=low_rank,factors.codec=low_rank,factors.rank=2",
        "codec=tensorized,factors.codec=int8", "codec=tensorized,form=cp,iterations=0"}) {
    EXPECT_EQ(of(sized), Foresight::kSize) << sized;
  }
  for (const char* unknown :
       {"codec=low_rank,factors.codec=pq", "codec=tensorized,factors.codec=pq",
        "codec=low_rank,factors.codec=low_rank,factors.energy=0.5",
        "codec=low_rank,factors.codec=low_rank,factors.factors.codec=pq"}) {
    EXPECT_EQ(of(unknown), Foresight::kNothing) << unknown;
  }
}

TEST(Foresight, PlansHaveTheSizeWhereTheyAreSaidTo) {
  const auto values = test::normal_values(60 * 50, 1);
  for (const char* settings :
       {"centroids=16,iterations=1", "codec=int8", "codec=low_rank,energy=0.5",
        "codec=low_rank,init=zeros,factors.codec=pq", "codec=low_rank,factors.codec=int8",
        "codec=tensorized,rank=0.3,factors.codec=int8"}) {
    const CodecOptions options = options_from(parse_settings(settings));
    const FloatTensor tensor{{"w", DType::kF32, {60, 50}}, values};
    EXPECT_EQ(size_in_bits(plan_weight(tensor, options)), size_in_bits(encode(tensor, options)))
        << settings;
  }
}

TEST(Foresight, EndsNearTheLimitsOfTheType) {
  const auto near = [](DType dtype, float largest, float other) {
    return near_limits({{"w", dtype, {2, 2}}, {largest, other, other, other}});
  };
  EXPECT_FALSE(near(DType::kF16, 1, 0.01f));
  EXPECT_TRUE(near(DType::kF16, 40000, 0));
  EXPECT_TRUE(near(DType::kF16, 1e-6f, 1e-6f));
  EXPECT_FALSE(near(DType::kF32, 40000, 0));
  EXPECT_FALSE(near(DType::kF32, 1e-30f, 1e-30f));
  EXPECT_TRUE(near(DType::kBF16, 3e38f, 0));
  EXPECT_TRUE(near(DType::kF64, 1e-38f, 1e-40f));
  EXPECT_FALSE(near(DType::kF32, 0, 0)) << "zeros are exact";
}

TEST(Foresight, KnowsPlaceholdersWithinFactors) {
  const auto is = [](const char* settings) {
    return is_placeholder(options_from(parse_settings(settings)));
  };
  EXPECT_TRUE(is("codec=low_rank,init=zeros"));
  EXPECT_TRUE(is("codec=tensorized,factors.codec=low_rank,factors.init=zeros"));
  EXPECT_FALSE(is("codec=low_rank"));
  EXPECT_FALSE(is("codec=pq,init=random"));
}

}  // namespace
}  // namespace pqw
