// Correction of biases: the values and the decisions, and compress with it.
#include "compress/bias.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "pqw/archive/archive.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "tests/compress/interruption.h"
#include "tests/support/correlated_inputs.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// One output and one input: y = x w + b with w = 1, ŵ = 0.5, b = 0.25. The inputs of the statistics
// have the mean 2, so the corrected bias is 0.25 + 0.5 · 2 = 1.25.
CorrectedBias corrected(std::vector<float> held_out, BiasCorrection correction, float b = 0.25f) {
  const float w = 1, w_hat = 0.5f;
  const InputStatistics inputs{
      .cols = 1, .n_rows = 2, .means = {2}, .second_moments = {5}, .held_out = std::move(held_out)};
  return corrected_bias({&w, 1, 1}, {&w_hat, 1, 1}, inputs, {"b", DType::kF32, {1}},
                        std::as_bytes(std::span(&b, 1)), correction);
}

float value_of(const CorrectedBias& made) {
  float value = 0;
  to_float(made.bytes, DType::kF32, {&value, 1});
  return value;
}

// y = 1.25 and 3.25; with b: 0.75 and 1.75, squared errors 0.25 + 2.25; with the corrected bias:
// 1.75 and 2.75, 0.25 + 0.25. ‖y‖² = 1.5625 + 10.5625.
TEST(CorrectedBiases, MoveByTheMeanErrorIfHeldOutRowsImprove) {
  const CorrectedBias made = corrected({1, 3}, BiasCorrection::kRelu);
  EXPECT_EQ(value_of(made), 1.25f);
  EXPECT_EQ(made.note, "bias corrected: error after relu 0.04124, was 0.20619");
}

// y = -1.75 and 0.25 before relu; with b: -0.75 and 0.25, no error after it; with the corrected bias:
// 0.25 and 1.25. Without activation: squared errors 1 + 0, then 4 + 1.
TEST(CorrectedBiases, StayIfHeldOutRowsDoNotImprove) {
  for (const BiasCorrection correction : {BiasCorrection::kRelu, BiasCorrection::kNone}) {
    const CorrectedBias made = corrected({-2, 0}, correction);
    EXPECT_TRUE(made.bytes.empty());
    EXPECT_THAT(made.note, StartsWith("bias not moved: that saves less than 5 % of the error"));
  }
}

// x = -4 and 6, b = 0: y = -4 and 6; with b: -2 and 3, squared errors 4 + 9; with the corrected bias:
// -1 and 4, 9 + 4: equal, so it stays. After relu: 0 + 9, then 0 + 4.
TEST(CorrectedBiases, TheActivationDecides) {
  EXPECT_TRUE(corrected({-4, 6}, BiasCorrection::kNone, 0).bytes.empty());
  EXPECT_EQ(value_of(corrected({-4, 6}, BiasCorrection::kRelu, 0)), 1);
}

// Errors x/2 with b, x/2 - 1 with the corrected bias. x = -10, 10, 10.5: the squares are 77.56, then
// 70.06 (90 %). x = -10, 10, 3, 2.25: 53.52, then 52.27 (98 %).
TEST(CorrectedBiases, StayIfTheGainIsSmall) {
  EXPECT_FALSE(corrected({-10, 10, 10.5f}, BiasCorrection::kNone).bytes.empty());
  EXPECT_TRUE(corrected({-10, 10, 3, 2.25f}, BiasCorrection::kNone).bytes.empty());
}

// Two groups of a row and a column each: W = 1 and 1, Ŵ = 1/2 and 1, so that only the first bias moves,
// by half of the mean of its own inputs, 2.
TEST(CorrectedBiases, OfGroupsMoveByTheInputsOfTheirGroup) {
  const float w[] = {1, 1}, w_hat[] = {0.5f, 1}, bias[] = {0, 0};
  const InputStatistics inputs{.cols = 2,
                               .n_rows = 2,
                               .means = {2, 50},
                               .second_moments = {5, 2600},
                               .held_out = {1, 40, 3, 60}};
  const CorrectedBias made =
      corrected_bias({w, 2, 1}, {w_hat, 2, 1}, inputs, {"b", DType::kF32, {2}},
                     std::as_bytes(std::span(bias)), BiasCorrection::kNone);
  float values[2] = {};
  to_float(made.bytes, DType::kF32, values);
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], 0);
}

TEST(CorrectedBiases, StayWithoutHeldOutRows) {
  EXPECT_TRUE(corrected({}, BiasCorrection::kNone).bytes.empty());
}

TEST(Activations, HaveTheirValues) {
  EXPECT_EQ(activated(BiasCorrection::kNone, -2), -2);
  EXPECT_EQ(activated(BiasCorrection::kRelu, -2), 0);
  EXPECT_EQ(activated(BiasCorrection::kRelu, 2), 2);
  EXPECT_NEAR(activated(BiasCorrection::kGelu, 1), 0.8413447460685429, 1e-15);  // Φ(1)
  EXPECT_NEAR(activated(BiasCorrection::kSilu, 1), 0.7310585786300049, 1e-15);  // 1 / (1 + 1/e)
  EXPECT_EQ(activated(BiasCorrection::kHardswish, -4), 0);
  EXPECT_EQ(activated(BiasCorrection::kHardswish, 1.5), 1.125);  // 1.5 · 4.5 / 6
  EXPECT_EQ(activated(BiasCorrection::kHardswish, 4), 4);
}

TEST(BiasNames, FollowFromTheNamesOfWeights) {
  EXPECT_EQ(bias_name("fc.weight"), "fc.bias");
  EXPECT_EQ(bias_name("attention.in_proj_weight"), "attention.in_proj_bias");
  EXPECT_EQ(bias_name("fc/kernel"), "fc/bias");
  EXPECT_EQ(bias_name("conv2d_106.w_0"), "conv2d_106.b_0");
  EXPECT_EQ(bias_name("embedding"), "");
}

// A layer of 32 outputs with its bias, and inputs whose means are 1. The bias stands before the
// weight in the file, as in the order of names, or after it.
class CorrectingBiases : public testing::TestWithParam<bool> {
 protected:
  CorrectingBiases() {
    tensors_ = {{"fc.bias", DType::kF32, {32}}, {"fc.weight", DType::kF32, {32, 96}}};
    if (GetParam()) std::swap(tensors_[0], tensors_[1]);
    tensors_.push_back({"last", DType::kF32, {8}});
    test::write_normal_weights(input_, tensors_);
    auto x = test::correlated_inputs(600, 96, 40, 1, 2);
    auto held_out = test::correlated_inputs(100, 96, 40, 1, 3);
    for (float& value : x) value += 1;
    for (float& value : held_out) value += 1;
    const InputStatistics inputs = test::statistics_of(x, 96, 0, held_out);
    const StatisticsOutline outline{"fc.weight", {}, 96, 0, 100};
    StatisticsWriter writer(statistics_, tensors_, std::span(&outline, 1));
    writer.add(inputs);
    writer.commit();
  }

  Report run(const std::string& output, Settings more, std::vector<Rule> rules = {},
             const CompressOptions& options = {.overwrite = true}) const {
    Settings settings = {{"codec", "tcq"}, {"bits", "1"}};
    settings.insert(settings.end(), more.begin(), more.end());
    return compress(input_, dir_ / output,
                    {.defaults = settings, .rules = rules, .calibration = statistics_}, options);
  }

  std::vector<float> bias_in(const std::string& archive) const {
    const ArchiveReader reader(dir_ / archive);
    std::vector<float> values(32);
    to_float(reader.read_plain(*reader.find("fc.bias")), DType::kF32, values);
    return values;
  }

  static const TensorReport& bias_of(const Report& report) {
    return report.tensors[GetParam() ? 1 : 0];
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "m.safetensors", statistics_ = dir_ / "s.h5";
  std::vector<TensorInfo> tensors_;
};

TEST_P(CorrectingBiases, IsOffByDefault) {
  run("a.h5", {});
  const Report off = run("b.h5", {{"correct_bias", "off"}});
  EXPECT_TRUE(test::content(dir_ / "a.h5") == test::content(dir_ / "b.h5"));
  EXPECT_EQ(corrected_biases(off), "");
}

TEST_P(CorrectingBiases, StoresTheBiasThatGivesTheMeansOfTheOutputs) {
  run("off.h5", {});
  const Report report = run("on.h5", {{"correct_bias", "none"}});
  EXPECT_THAT(bias_of(report).note, StartsWith("bias corrected: error 0."));
  EXPECT_EQ(bias_of(report).codec, "plain");
  EXPECT_GT(bias_of(report).distortion->squared_error(), 0);
  EXPECT_EQ(corrected_biases(report), "bias corrected for 1 of 1 weights");
  EXPECT_NE(bias_in("on.h5"), bias_in("off.h5"));
  EXPECT_EQ(report.tensors.size(), 3u);
  EXPECT_EQ(report.tensors[0].info.name, tensors_[0].name);
  const ArchiveReader archive(dir_ / "on.h5");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(archive.entries()[i].info.name, tensors_[i].name);
}

TEST_P(CorrectingBiases, DoesNotDependOnThreads) {
  run("a.h5", {{"correct_bias", "gelu"}});
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  run("b.h5", {{"correct_bias", "gelu"}});
  omp_set_num_threads(threads);
  EXPECT_TRUE(test::content(dir_ / "a.h5") == test::content(dir_ / "b.h5"));
}

TEST_P(CorrectingBiases, ARuleMayTurnItOffOrNameTheBias) {
  EXPECT_EQ(corrected_biases(
                run("a.h5", {{"correct_bias", "none"}}, {{"fc", {{"correct_bias", "off"}}}})),
            "");
  const Error error = test::error_of([&] {
    run("a.h5", {}, {{"fc.weight", {{"correct_bias", "none"}, {"bias", "last"}}}});
  });
  EXPECT_THAT(error.what(), HasSubstr("bias=last: expected a plain float tensor of 32 elements"));
  EXPECT_EQ(corrected_biases(
                run("a.h5", {}, {{"fc.weight", {{"correct_bias", "none"}, {"bias", "fc.bias"}}}})),
            "bias corrected for 1 of 1 weights");
}

TEST_P(CorrectingBiases, ABiasThatIsNarrowedStays) {
  const Report report = run("a.h5", {{"correct_bias", "none"}, {"plain_dtype", "f16"}});
  EXPECT_THAT(bias_of(report).note, StartsWith("bias not moved: plain_dtype is not same"));
}

TEST_P(CorrectingBiases, NeedsStatistics) {
  const Error error = test::error_of([&] {
    compress(input_, dir_ / "a.h5", {.defaults = {{"correct_bias", "relu"}}});
  });
  EXPECT_THAT(error.what(),
              HasSubstr("correct_bias needs statistics of inputs; add --calibration"));
}

TEST_P(CorrectingBiases, ADryRunHasTheSameSize) {
  const Report report = run("a.h5", {{"correct_bias", "none"}});
  const Report dry = plan_compression(
      input_, {.defaults = {{"codec", "tcq"}, {"bits", "1"}, {"correct_bias", "none"}},
               .calibration = statistics_});
  EXPECT_EQ(dry.file_bytes, report.file_bytes);
}

// Weights so large that each is encoded alone, so that the first one is kept with its bias.
TEST(CorrectedBiases, AResumedRunHasThem) {
  const test::TempDir dir;
  const std::vector<TensorInfo> tensors = {{"a.bias", DType::kF32, {1025}},
                                           {"a.weight", DType::kF32, {1025, 512}},
                                           {"b.bias", DType::kF32, {1025}},
                                           {"b.weight", DType::kF32, {1025, 512}}};
  test::write_normal_weights(dir / "m.safetensors", tensors);
  auto x = test::correlated_inputs(40, 512, 8, 1, 2);
  for (float& value : x) value += 1;
  const InputStatistics inputs = test::statistics_of(x, 512, 0, {x.begin(), x.begin() + 8 * 512});
  const std::vector<StatisticsOutline> outlines = {{"a.weight", {}, 512, 0, 8},
                                                   {"b.weight", {}, 512, 0, 8}};
  StatisticsWriter writer(dir / "s.h5", tensors, outlines);
  writer.add(inputs);
  writer.add(inputs);
  writer.commit();
  const Recipe recipe{.defaults = {{"codec", "pq"},
                                   {"block_size", "2"},
                                   {"centroids", "8"},
                                   {"iterations", "1"},
                                   {"restarts", "1"},
                                   {"init", "random"},
                                   {"correct_bias", "none"}},
                      .calibration = dir / "s.h5"};
  const Report whole = compress(dir / "m.safetensors", dir / "whole.h5", recipe);
  EXPECT_EQ(corrected_biases(whole), "bias corrected for 2 of 2 weights");
  test::CountingObserver observer(2);
  EXPECT_THROW(compress(dir / "m.safetensors", dir / "m.h5", recipe,
                        {.observer = &observer, .resume = true}),
               test::Interruption);
  const Report resumed = compress(dir / "m.safetensors", dir / "m.h5", recipe, {.resume = true});
  EXPECT_TRUE(test::content(dir / "m.h5") == test::content(dir / "whole.h5"));
  EXPECT_EQ(resumed.tensors[0].note, whole.tensors[0].note);
}

INSTANTIATE_TEST_SUITE_P(Orders, CorrectingBiases, testing::Bool(), [](const auto& order) {
  return order.param ? "WeightFirst" : "BiasFirst";
});

}  // namespace
}  // namespace pqw
