// One way to encode one tensor: its size before learning, importances.
#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"
#include "tests/support/correlated_inputs.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

FloatTensor some_tensor() {
  return {{"w", DType::kF32, {60, 50}}, test::normal_values(60 * 50, 1)};
}

void expect_same_size(const Record& size, const Record& record) {
  EXPECT_EQ(size.info.name, record.info.name);
  EXPECT_EQ(size.info.dtype, record.info.dtype);
  EXPECT_EQ(size.info.shape, record.info.shape);
  EXPECT_EQ(size.codec, record.codec);
  EXPECT_EQ(size.features, record.features);
  EXPECT_EQ(size.options.size(), record.options.size());
  ASSERT_EQ(size.sections.size(), record.sections.size());
  for (std::size_t i = 0; i < size.sections.size(); ++i) {
    EXPECT_EQ(size.sections[i].name, record.sections[i].name);
    EXPECT_EQ(size.sections[i].dtype, record.sections[i].dtype);
    EXPECT_EQ(size.sections[i].shape, record.sections[i].shape);
  }
  ASSERT_EQ(size.parts.size(), record.parts.size());
  for (std::size_t i = 0; i < size.parts.size(); ++i) {
    expect_same_size(size.parts[i], record.parts[i]);
  }
}

TEST(Encoding, SizeIsThatOfTheRecord) {
  for (const char* settings :
       {"centroids=16,iterations=1", "centroids=4096,groups=3", "row_scales=log8",
        "row_scales=f16,gain_per=row,centroids=16", "codec=int8",
        "codec=int8,per=tensor,scheme=affine,activations=batch", "codec=low_rank",
        "codec=low_rank,energy=0.5", "codec=low_rank,gain=energy", "codec=tensorized,gain=unbiased",
        "codec=low_rank,svd=randomized", "codec=low_rank,init=zeros,factors.codec=pq",
        "codec=low_rank,factors.codec=int8", "codec=low_rank,factors.codec=low_rank,factors.rank=2",
        "codec=tensorized,form=cp", "codec=tensorized,rank=0.3,factors.codec=int8",
        "codec=tensorized,form=tucker,factors.codec=low_rank,factors.factors.codec=int8"}) {
    SCOPED_TRACE(settings);
    const CodecOptions options = options_from(parse_settings(settings));
    const Encoding encoding(some_tensor(), options);
    const auto size = encoding.size();
    Weight weight = encoding.encode();
    ASSERT_TRUE(size.has_value());
    if (auto* pq = std::get_if<PqWeight>(&weight)) pq->entropy_coding = false;  // a bound, else
    expect_same_size(size->record, to_record(weight, "w"));
    EXPECT_EQ(size->summary, summary(weight));
    EXPECT_EQ(size->n_parameters, parameter_count(weight));
    EXPECT_EQ(size->remarks, remarks_on(weight, options));
  }
}

TEST(Encoding, OnlyEncodingTellsTheSizeOfLearnedFactorsInPq) {
  for (const char* settings :
       {"codec=low_rank,factors.codec=pq", "codec=tensorized,factors.codec=pq",
        "codec=tensorized,factors.codec=low_rank,factors.energy=0.5"}) {
    EXPECT_FALSE(Encoding(some_tensor(), options_from(parse_settings(settings))).size())
        << settings;
  }
}

TEST(Encoding, PlainHasTheSizeOfTheTensor) {
  const auto size = Encoding(some_tensor(), PlainOptions{}).size();
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(size->record.codec, "plain");
  EXPECT_EQ(data_bytes(size->record), 60 * 50 * 4);
}

TEST(Encoding, HandsImportancesToPqOnly) {
  // The blocks that count are as many as the centroids, which must therefore be equal to them.
  std::vector<float> columns(50);
  std::fill_n(columns.begin(), 4, 1.0f);
  const PqImportance importance{{}, columns};
  const FloatTensor tensor = some_tensor();
  const Encoding pq(tensor, PqOptions{.n_centroids = 60,
                                      .effort = PqEffort::kMax,  // one start may miss the optimum
                                      .codebook_dtype = DType::kF32});
  const Weight weight = pq.encode({.importance = &importance});
  std::vector<float> decoded(60 * 50);
  decode_rows(weight, 0, {decoded.data(), 60, 50});
  for (std::size_t r = 0; r < 60; ++r) {
    for (std::size_t c = 0; c < 4; ++c) EXPECT_EQ(decoded[r * 50 + c], tensor.values[r * 50 + c]);
  }
  const Encoding int8(some_tensor(), Int8Options{});
  EXPECT_THROW(int8.encode({.importance = &importance}), Error);
}

TEST(Encoding, InputsOfAWeightAreNotThoseOfItsFactors) {
  const InputStatistics inputs = test::statistics_of(test::normal_values(30 * 50, 2), 50, 50);
  for (const char* settings :
       {"codec=low_rank,rank=8,factors.codec=pq,factors.centroids=16",
        "codec=tensorized,form=cp,iterations=1,factors.codec=tcq,factors.bits=5", "codec=int8"}) {
    const Encoding encoding(some_tensor(), options_from(parse_settings(settings)));
    EXPECT_EQ(test::decoded(encoding.encode({.inputs = &inputs})), test::decoded(encoding.encode()))
        << settings;
  }
}

TEST(Encoding, IsSureOfWhatLearningCannotLose) {
  const auto is_sure = [](const char* settings) {
    return outcome_is_sure(options_from(parse_settings(settings)), some_tensor());
  };
  for (const char* sure :
       {"codec=pq", "iterations=12", "iterations=1,init=random", "iterations=1,engine=faiss",
        "codec=int8", "codec=plain", "codec=low_rank", "codec=low_rank,energy=0.5",
        "codec=low_rank,init=zeros,factors.codec=pq", "codec=tensorized",
        "codec=tensorized,form=cp,iterations=1"}) {
    EXPECT_TRUE(is_sure(sure)) << sure;
  }
  for (const char* unsure :
       {"iterations=11", "iterations=0,init=random", "codec=low_rank,factors.codec=int8",
        "codec=low_rank,factors.codec=low_rank,factors.rank=2", "codec=low_rank,factors.codec=pq",
        "codec=tensorized,factors.codec=int8", "codec=tensorized,form=cp,iterations=0",
        "codec=tensorized,factors.codec=pq"}) {
    EXPECT_FALSE(is_sure(unsure)) << unsure;
  }
}

TEST(Encoding, EndsNearTheLimitsOfTheType) {
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

TEST(Encoding, KnowsPlaceholdersWithinFactors) {
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
