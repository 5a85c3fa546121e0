// Choosing between weights that were encoded with and without statistics, by hand computation.
#include "compress/worth.h"

#include <gtest/gtest.h>

#include <array>

#include "compress/candidates.h"
#include "pqw/codecs/pq.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

bool pays(JudgedOutputs with, JudgedOutputs without, std::size_t n_held_out = 16) {
  return statistics_pay(with, without, 80, n_held_out);
}

TEST(StatisticsPay, IfTheOutputErrorIsLess) {
  EXPECT_TRUE(pays({{0.99, 2}, 100}, {{1, 2}, 100}));
  EXPECT_FALSE(pays({{1, 2}, 100}, {{1, 2}, 100}));
  EXPECT_FALSE(pays({{0, 0}, 100}, {{0, 0}, 100}));
}

TEST(StatisticsPay, ByAMarginIfFewInputsJudge) {
  EXPECT_FALSE(pays({{0.76, 2}, 100}, {{1, 2}, 100}, 15));
  EXPECT_TRUE(pays({{0.74, 2}, 100}, {{1, 2}, 100}, 15));
  EXPECT_TRUE(pays({{0.74, 2}, 100}, {{1, 2}, 100}, 0));
}

TEST(StatisticsPay, IfABitPerWeightLowersTheErrorToAQuarter) {
  // 10 bytes are 1 bit for each of 80 weights.
  EXPECT_FALSE(pays({{0.26, 2}, 110}, {{1, 2}, 100}));
  EXPECT_TRUE(pays({{0.24, 2}, 110}, {{1, 2}, 100}));
  // A smaller weight must keep outputs as well.
  EXPECT_FALSE(pays({{1.1, 2}, 10}, {{1, 2}, 100}));
}

// W = [1, 2] and Ŵ = [1, 0].
OutputError judged(const InputStatistics& inputs) {
  PqWeight weight{{{1, 2}, DType::kF32, ""}};
  weight.block_size = 1;
  weight.n_centroids = 2;
  weight.codebooks = {0, 1};
  weight.codes = {1, 0};
  const std::array<float, 2> w{1, 2};
  return judge_outputs(std::as_bytes(std::span(w)), {"w", DType::kF32, {1, 2}}, weight, inputs);
}

TEST(JudgeOutputs, TakesHeldOutInputsOrElseTheStatistics) {
  // H = [[4, 2], [2, 1]]: W H Wᵀ = 4 + 2 * 4 + 4 = 16, and [0, 2] H [0, 2]ᵀ = 4.
  InputStatistics inputs{.cols = 2, .n_rows = 9, .means = {0, 0}, .second_moments = {4, 1}};
  EXPECT_DOUBLE_EQ(judged(inputs).relative(), 4.0 / 8);  // the diagonal alone: 4 + 4
  inputs.gram_block = 2;
  inputs.gram = {4, 2, 2, 1};
  EXPECT_NEAR(judged(inputs).relative(), 4.0 / 16, 1e-6);
  inputs.held_out = {3, 0, 1, -1};  // outputs 3 and -1, errors 0 and -2
  EXPECT_DOUBLE_EQ(judged(inputs).relative(), 4.0 / 10);
}

TEST(UsesStatistics, IsTrueOfPqAndTcq) {
  const InputStatistics diagonal{.cols = 2}, whole{.cols = 2, .gram_block = 2};
  EXPECT_TRUE(uses_statistics(PqOptions(), diagonal));
  EXPECT_FALSE(uses_statistics(PqOptions{.n_additive = 2}, whole));
  EXPECT_TRUE(uses_statistics(TcqOptions(), whole));
  EXPECT_FALSE(uses_statistics(TcqOptions(), diagonal));
  EXPECT_FALSE(uses_statistics(Int8Options(), whole));
}

// Weights that keep outputs have errors that the search must not take for those of the point: a
// point that no probe saw has an unknown error, not 0.
TEST(AddMade, TakesOnlyErrorsOfWeightsThatKeepWeights) {
  const test::TempDir dir;
  const TensorInfo info{"w", DType::kF32, {8, 8}};
  test::write_normal_weights(dir / "m.safetensors", {info});
  const auto reader = open_weights(dir / "m.safetensors");
  const std::vector<WorkItem> plan{{{0}, Encode{{TcqOptions()}, {}, false, true}, ""}};
  Report report;
  report.tensors.push_back({.info = info, .codec = "tcq", .bytes = 77});
  report.tensors[0].distortion.emplace().add(std::array<float, 2>{3, 4},
                                             std::array<float, 2>{3, 0});
  report.tensors[0].output_error.emplace();
  const std::pair<std::size_t, std::string> key{0, settings_text(TcqOptions())};
  Probes probes;
  add_made(*reader, plan, report, probes);
  EXPECT_EQ(probes.at(key).bytes, 77u);
  EXPECT_EQ(probes.at(key).relative_error, std::nullopt);
  probes.at(key).relative_error = 0.5;
  add_made(*reader, plan, report, probes);
  EXPECT_EQ(probes.at(key).relative_error, 0.5);
  report.tensors[0].output_error.reset();
  add_made(*reader, plan, report, probes);
  EXPECT_DOUBLE_EQ(*probes.at(key).relative_error, 16.0 / 25);
}

}  // namespace
}  // namespace pqw
