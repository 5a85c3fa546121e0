#include "codecs/pq/train/sample.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

struct Recorder : EmObserver {
  void on_iteration(const EmIteration& iteration) override { iterations.push_back(iteration); }
  std::vector<EmIteration> iterations;
};

PqWeight encode_pairs(const std::vector<float>& w, const PqOptions& options,
                      EmObserver* observer = nullptr) {
  return pq_from_float(ConstMatrix(w.data(), w.size() / 2, 2), options, {.observer = observer});
}

TEST(Sample, IsTakenWhereItIsLessThanHalfOfTheBlocks) {
  PqOptions options{.n_centroids = 16, .explore = 100};
  EXPECT_EQ(sample_size(3199, options), 3199u);
  EXPECT_EQ(sample_size(3200, options), 1600u);
  EXPECT_EQ(sample_size(1'000'000, options), 1600u);
  options.explore = 0;
  EXPECT_EQ(sample_size(1'000'000, options), 1'000'000u);
  options = {.n_centroids = 16, .init = Init::kRandom, .explore = 100};
  EXPECT_EQ(sample_size(1'000'000, options), 1'000'000u) << "the plain schedule takes all";
}

TEST(Sample, DrawsOneBlockOfEveryRun) {
  std::vector<float> values(1003);
  std::iota(values.begin(), values.end(), 0.0f);
  const PqOptions options{.n_centroids = 5, .explore = 20};
  const auto sample = sample_blocks({values, 1}, options, 7).values;
  ASSERT_EQ(sample.size(), 100u);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    EXPECT_GE(sample[i], static_cast<float>(i) * 10.03f - 1);
    EXPECT_LT(sample[i], static_cast<float>(i + 1) * 10.03f);
  }
}

TEST(Sample, HoldsEnoughDistinctBlocks) {
  std::vector<float> values(10'000);  // zeros
  for (std::size_t i = 0; i < 20; ++i) values[i] = static_cast<float>(i);
  const auto sample = sample_blocks({values, 1}, {.n_centroids = 16, .explore = 10}, 7).values;
  EXPECT_EQ(sample.size(), 160u + 17u);
}

TEST(Sample, ExploringItFindsNearlyTheSameObjective) {
  const auto w = test::normal_values(2 * 60'000, 4);
  const PqOptions all{
      .block_size = 2, .n_centroids = 16, .iterations = 20, .explore = 0, .tolerance = 0};
  PqOptions part = all;
  part.explore = 128;
  Recorder on_all, on_part;
  encode_pairs(w, all, &on_all);
  encode_pairs(w, part, &on_part);
  ASSERT_EQ(on_all.iterations.size(), 20u);
  ASSERT_EQ(on_part.iterations.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(on_all.iterations[i].n_blocks, 60'000u);
    EXPECT_EQ(on_part.iterations[i].n_blocks, i < 13 ? 128u * 16 : 60'000u);
    EXPECT_EQ(on_part.iterations[i].iteration, i);
  }
  // Local optima of such problems lie a few percent apart.
  EXPECT_LT(on_part.iterations.back().objective, 1.03 * on_all.iterations.back().objective);
}

TEST(Sample, IsReported) {
  const auto w = test::normal_values(2 * 10'000, 4);
  const PqOptions options{.block_size = 2, .n_centroids = 16, .explore = 64};
  EXPECT_EQ(PqCodec::remarks(encode_pairs(w, options), options), "explored 1024 of 10000 blocks");
}

TEST(Sample, NearlyEmptyTensorsEndWithoutError) {
  std::vector<float> w(2 * 50'000);
  for (std::size_t i = 0; i < 40; ++i) w[i] = static_cast<float>(i + 1);
  const PqOptions options{.block_size = 2, .n_centroids = 16, .explore = 64};
  Recorder recorder;
  const PqWeight weight = encode_pairs(w, options, &recorder);
  EXPECT_EQ(weight.n_centroids, 16u);
  EXPECT_LT(recorder.iterations.back().objective, 100);
}

}  // namespace
}  // namespace pqw
