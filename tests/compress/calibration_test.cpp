// compress with statistics of the inputs of layers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "compress/checkpoint.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/compress/compress.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/correlated_inputs.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::HasSubstr;

// A linear layer of 96 inputs that are correlated.
class Calibration : public testing::Test {
 protected:
  void SetUp() override {
    test::write_normal_weights(input_, {info_});
    const auto x = test::correlated_inputs(600, 96, 40, 1, 2);
    write_statistics(info_,
                     test::statistics_of(x, 96, 96, test::correlated_inputs(100, 96, 40, 1, 3)));
  }

  void write_statistics(const TensorInfo& info, const InputStatistics& inputs) const {
    const StatisticsOutline outline{info.name, info.layout.axes, inputs.cols, inputs.gram_block,
                                    inputs.n_held_out()};
    StatisticsWriter writer(statistics_, std::span(&info, 1), std::span(&outline, 1),
                            {.overwrite = true});
    writer.add(inputs);
    writer.commit();
  }

  Report run(Settings defaults, bool calibrated, std::optional<Target> target = {}) const {
    const Recipe recipe{.defaults = std::move(defaults),
                        .target = target,
                        .calibration = calibrated ? statistics_ : ""};
    return compress(input_, dir_ / "m.h5", recipe, {.overwrite = true});
  }

  // For the archive of the last run.
  OutputError evaluated() const {
    return *evaluate(input_, dir_ / "m.h5", {}, statistics_).tensors[0].output_error;
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "m.safetensors", statistics_ = dir_ / "s.h5";
  const TensorInfo info_{"fc.weight", DType::kF32, {128, 96}};
};

TEST_F(Calibration, OutputsAreKeptInPlaceOfWeights) {
  const Settings settings = {{"codec", "pq"}, {"block_size", "4"}, {"centroids", "64"}};
  const Report plain = run(settings, false);
  EXPECT_FALSE(plain.tensors[0].output_error);
  const double before = evaluated().relative();
  const Report kept = run(settings, true);
  EXPECT_LT(evaluated().relative(), before / 2);
  EXPECT_GT(kept.tensors[0].distortion->relative_error(),
            plain.tensors[0].distortion->relative_error());
  EXPECT_NEAR(kept.tensors[0].output_error->relative(), evaluated().relative(), 1e-9);
}

// The statistics see inputs in the first half of the columns only, the held-out inputs in the other.
TEST_F(Calibration, StatisticsThatMisleadChangeNothing) {
  auto x = test::correlated_inputs(600, 96, 40, 1, 2);
  auto held_out = test::correlated_inputs(100, 96, 40, 1, 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= i % 96 < 48;
  for (std::size_t i = 0; i < held_out.size(); ++i) held_out[i] *= i % 96 >= 48;
  write_statistics(info_, test::statistics_of(x, 96, 96, held_out));
  for (const Settings& settings :
       {Settings{{"codec", "pq"}, {"block_size", "4"}, {"centroids", "64"}},
        Settings{{"codec", "tcq"}, {"bits", "3"}}}) {
    run(settings, false);
    const std::string without = test::content(dir_ / "m.h5");
    const Report report = run(settings, true);
    EXPECT_TRUE(test::content(dir_ / "m.h5") == without);
    EXPECT_THAT(report.tensors[0].note, HasSubstr("made without statistics of inputs"));
    EXPECT_NEAR(report.tensors[0].output_error->relative(), evaluated().relative(), 1e-9);
  }
}

TEST_F(Calibration, SettingsThatIgnoreStatisticsSaySo) {
  for (const Settings& settings :
       {Settings{{"codec", "int8"}}, Settings{{"codec", "low_rank"}, {"rank", "8"}},
        Settings{{"codec", "pq"}, {"block_size", "4"}, {"centroids", "16"}, {"additive", "2"}}}) {
    EXPECT_THAT(run(settings, true).tensors[0].note, HasSubstr("do not use statistics of inputs"));
    EXPECT_THAT(run(settings, false).tensors[0].note, testing::Not(HasSubstr("statistics")));
  }
}

TEST_F(Calibration, ColumnsAreThoseOfTheCanonicalOrder) {
  TensorInfo info = info_;
  info.shape = {96, 128};
  test::write_normal_weights(input_, {info});
  info.layout.axes = {1, 0};
  const auto x = test::correlated_inputs(600, 96, 40, 1, 2);
  write_statistics(info,
                   test::statistics_of(x, 96, 96, test::correlated_inputs(100, 96, 40, 1, 3)));
  const Report kept = run({{"codec", "pq"}, {"block_size", "4"}, {"layout", "io"}}, true);
  EXPECT_NEAR(kept.tensors[0].output_error->relative(), evaluated().relative(), 1e-9);
  EXPECT_LT(evaluated().relative(), 0.05);
}

TEST_F(Calibration, SizesAreMetByTargets) {
  const Report report = run({{"for", "serving"}}, true, Target{TargetKind::kBitsPerWeight, 4});
  EXPECT_LE(report.file_bytes, 128u * 96 / 2);
  EXPECT_TRUE(report.tensors[0].output_error);
}

TEST_F(Calibration, ErrorsOfWeightsAreNoTargets) {
  EXPECT_THAT(test::error_of([&] {
                run({}, true, Target{TargetKind::kError, 0.1});
              }).what(),
              HasSubstr("--target-error is an error of weights"));
}

TEST_F(Calibration, StatisticsOfAnotherModelAreRefused) {
  TensorInfo other = info_;
  other.shape = {64, 96};
  write_statistics(other, test::statistics_of(test::correlated_inputs(60, 96, 9, 1, 2), 96, 0));
  const Error error = test::error_of([&] { run({}, true); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.what(), HasSubstr("m.safetensors"));
}

TEST_F(Calibration, TheOutputDoesNotReplaceTheStatistics) {
  const std::string before = test::content(statistics_);
  const Recipe recipe{.calibration = statistics_};
  EXPECT_EQ(
      test::error_of([&] { compress(input_, statistics_, recipe, {.overwrite = true}); }).code(),
      ErrorCode::kInvalidArgument);
  EXPECT_EQ(test::content(statistics_), before);
}

TEST(PartKeys, DependOnStatistics) {
  const auto key_of = [](float first) {
    PartKey key;
    key.add(test::statistics_of({first, 1, 2, 3}, 2, 2));
    return key.finish();
  };
  EXPECT_EQ(key_of(1), key_of(1));
  EXPECT_NE(key_of(1), key_of(2));
  EXPECT_NE(key_of(1), PartKey().finish());
}

}  // namespace
}  // namespace pqw
