// The dependence of a score on tensors, with scores that are known by hand.
#include "pqw/compress/sensitivity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>

#include "compress/loss_target.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/compress/compress.h"
#include "pqw/model/model.h"
#include "tests/support/correlated_inputs.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;

const Settings kTcq = {{"codec", "tcq"}, {"bits", "3"}};
const Settings kPq = {{"codec", "pq"}, {"block_size", "4"}, {"centroids", "64"}};

const std::vector<TensorInfo> kTensors = {{"a.weight", DType::kF32, {64, 64}},
                                          {"a.bias", DType::kF32, {64}},
                                          {"b.weight", DType::kF32, {32, 96}},
                                          {"c.weight", DType::kF32, {48, 64}}};

// Keeps scores, as a file to resume from does.
class Scores : public SensitivityObserver {
 public:
  void on_start(const std::string& digest) override { digests.push_back(digest); }
  std::optional<double> known_score(const std::string& key) override {
    const auto found = scores.find(key);
    return found == scores.end() ? std::nullopt : std::optional(found->second);
  }
  void on_run(const std::string& key, const SensitivityRun& run) override {
    scores[key] = run.score;
    EXPECT_LE(run.n, run.most_runs);
  }

  std::vector<std::string> digests;
  std::map<std::string, double> scores;
};

class SensitivityTest : public testing::Test {
 protected:
  void SetUp() override { test::write_normal_weights(input_, kTensors); }

  // 5 - Σ a ‖w - ŵ‖² of the tensors in `a`. Tensors that are not in it must be as they were.
  double score(const std::string& path) {
    const std::lock_guard lock(mutex_);
    ++n_evaluated_;
    const Model original(input_), copy(path);
    double loss = 0;
    for (const TensorInfo& info : copy.tensors()) {
      const auto w = original.decode(info.name), v = copy.decode(info.name);
      double sum = 0;
      for (std::size_t i = 0; i < w.size(); ++i) sum += (w[i] - v[i]) * (w[i] - v[i]);
      if (sum > 0) changed_[path].push_back(info.name);
      if (a_.contains(info.name)) loss += a_.at(info.name) * sum;
    }
    return 5 - loss;
  }

  SensitivityReport run(SensitivityOptions options) {
    if (options.points.empty()) options.points = {kPq, kTcq};
    return measure_sensitivity(
        input_, [this](const std::string& path) { return score(path); }, options);
  }

  // Of inputs of a.weight.
  std::string write_statistics() const {
    const std::string path = dir_ / "s.h5";
    const auto x = test::correlated_inputs(600, 64, 40, 1, 2);
    const InputStatistics inputs =
        test::statistics_of(x, 64, 64, test::correlated_inputs(100, 64, 40, 1, 3));
    const StatisticsOutline outline{
        "a.weight", {}, inputs.cols, inputs.gram_block, inputs.n_held_out()};
    StatisticsWriter writer(path, kTensors, std::span(&outline, 1), {.overwrite = true});
    writer.add(inputs);
    writer.commit();
    return path;
  }

  // The reports of a.weight and b.weight.
  std::pair<TensorReport, TensorReport> compressed(const std::string& statistics) const {
    const Report report = compress(
        input_, dir_ / "m.h5", {.defaults = kTcq, .calibration = statistics}, {.overwrite = true});
    return {report.tensors[0], report.tensors[2]};
  }

  void expect_importances_in_proportion(const SensitivityReport& report) const {
    ASSERT_THAT(report.tensors, SizeIs(3));
    double mean = 0;
    for (const auto& [name, a] : a_) mean += a * squared_norm(name) / 3;
    for (const TensorSensitivity& tensor : report.tensors) {
      const double expected = a_.at(tensor.info.name) * squared_norm(tensor.info.name);
      EXPECT_NEAR(tensor.importance, expected / mean, 1e-4) << tensor.info.name;
    }
  }

  double squared_norm(const std::string& name) const {
    double sum = 0;
    for (const float w : Model(input_).decode(name)) sum += double{w} * w;
    return sum;
  }

  const test::TempDir dir_;
  std::string input_ = dir_ / "m.safetensors";
  std::map<std::string, double> a_ = {{"a.weight", 1e-3}, {"b.weight", 4e-3}, {"c.weight", 2e-3}};
  std::size_t n_evaluated_ = 0;
  std::map<std::string, std::vector<std::string>> changed_;
  std::mutex mutex_;
};

TEST_F(SensitivityTest, ImportancesAreInProportionToTheLossPerRelativeError) {
  const SensitivityReport report = run({});
  EXPECT_EQ(report.score, 5);
  ASSERT_THAT(report.tensors, SizeIs(3));  // without the bias, which is plain
  double mean = 0;
  for (const auto& [name, a] : a_) mean += a * squared_norm(name) / 3;
  for (const TensorSensitivity& tensor : report.tensors) {
    const double expected = a_.at(tensor.info.name) * squared_norm(tensor.info.name);
    EXPECT_NEAR(tensor.importance, expected / mean, 1e-4) << tensor.info.name;
    EXPECT_EQ(tensor.n_measured_with, 1u);
    for (const TensorAtPoint& point : tensor.points) {
      EXPECT_NEAR(point.harm, expected * point.relative_error, 1e-6 * expected);
    }
  }
  EXPECT_EQ(report.points[1].settings, "codec=tcq,bits=3");
  EXPECT_NEAR(report.points[1].harm,
              report.tensors[0].points[1].harm + report.tensors[1].points[1].harm +
                  report.tensors[2].points[1].harm,
              1e-9);
  EXPECT_EQ(report.n_runs, 1 + 2 + 3 * 2u);  // the original, all, each alone; two points
  EXPECT_EQ(n_evaluated_, report.n_runs);
}

TEST_F(SensitivityTest, AGroupThatIsNotSplitGivesTheSameImportancesForEqualFactors) {
  a_ = {{"a.weight", 1e-3}, {"b.weight", 1e-3}, {"c.weight", 1e-3}};
  const SensitivityReport alone = run({}), together = run({.most_runs = 3});
  EXPECT_EQ(together.n_runs, 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(together.tensors[i].n_measured_with, 3u);
    EXPECT_NEAR(together.tensors[i].importance, alone.tensors[i].importance, 1e-4);
  }
}

TEST_F(SensitivityTest, CopiesDifferInOneTensorOnly) {
  run({.points = {kTcq}});
  std::vector<std::vector<std::string>> changed;
  for (const auto& [path, names] : changed_) changed.push_back(names);
  // One path for all copies: first all tensors, then each.
  EXPECT_THAT(changed, ElementsAre(ElementsAre("a.weight", "b.weight", "c.weight", "a.weight",
                                               "b.weight", "c.weight")));
}

TEST_F(SensitivityTest, LowerScoresMayBeBetter) {
  const SensitivityReport higher = run({});
  const SensitivityReport lower =
      measure_sensitivity(input_, [this](const std::string& path) { return -score(path); },
                          {.higher_is_better = false, .points = {kPq, kTcq}});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lower.tensors[i].harm, higher.tensors[i].harm);
  }
}

TEST_F(SensitivityTest, JobsGiveTheSameReport) {
  const SensitivityReport one = run({}), three = run({.jobs = 3});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(three.tensors[i].importance, one.tensors[i].importance);
  }
}

TEST_F(SensitivityTest, PatternsKeepTensorsOutOfIt) {
  const SensitivityReport report = run({.exclude = {{"^b"}}});
  ASSERT_THAT(report.tensors, SizeIs(2));
  EXPECT_EQ(report.tensors[1].info.name, "c.weight");
  EXPECT_THAT(report.recipe, HasSubstr("exclude: ['^b']"));
}

TEST_F(SensitivityTest, TheRecipeServesTheSearchForATarget) {
  const SensitivityReport report = run({.recipe = dir_ / "r.yaml"});
  EXPECT_EQ(test::content(dir_ / "r.yaml"), report.recipe);
  EXPECT_THAT(report.recipe, HasSubstr("{pattern: '^b\\.weight$', importance: "));
  Recipe recipe = read_recipe(dir_ / "r.yaml");
  recipe.target = Target{TargetKind::kRatio, 8};
  const Report with = compress(input_, dir_ / "with.h5", recipe);
  const Report without = compress(input_, dir_ / "without.h5", {.target = recipe.target});
  const auto loss = [&](const Report& made) {
    double sum = 0;
    for (const TensorReport& tensor : made.tensors) {
      if (a_.contains(tensor.info.name)) {
        sum += a_.at(tensor.info.name) * tensor.distortion->squared_error();
      }
    }
    return sum;
  };
  EXPECT_LT(loss(with), loss(without));
}

TEST_F(SensitivityTest, FindsTheSmallestArchiveThatLosesAtMostSoMuch) {
  const SensitivityReport report = run({.max_loss = 0.5, .recipe = dir_ / "r.yaml"});
  ASSERT_TRUE(report.target);
  EXPECT_THAT(report.target->loss, Le(0.5));
  EXPECT_THAT(report.target->loss, Ge(0.3));  // the next larger ratio loses more
  EXPECT_THAT(report.n_runs, Le(1 + 2 + 3 * 2 + kMostTrials));
  const Report made = compress(input_, dir_ / "m.h5", read_recipe(dir_ / "r.yaml"));
  EXPECT_EQ(made.file_bytes, report.target->file_bytes);
  EXPECT_NEAR(5 - score(dir_ / "m.h5"), report.target->loss, 1e-9);
}

TEST_F(SensitivityTest, ALossThatNoArchiveKeepsIsAnError) {
  const Error error = test::error_of([&] { run({.max_loss = 0, .recipe = dir_ / "r.yaml"}); });
  EXPECT_THAT(error.what(), HasSubstr("m.safetensors: even the largest archive that was tried ("));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "r.yaml"));
}

TEST_F(SensitivityTest, KnownScoresAreNotEvaluatedAgain) {
  Scores scores;
  const SensitivityReport first = run({.max_loss = 1, .observer = &scores});
  n_evaluated_ = 0;
  const SensitivityReport second = run({.max_loss = 1, .observer = &scores});
  EXPECT_EQ(n_evaluated_, 0u);
  EXPECT_EQ(second.recipe, first.recipe);
  EXPECT_EQ(scores.digests[0], scores.digests[1]);
  test::write_normal_weights(input_, kTensors, 7);
  run({.most_runs = 3, .observer = &scores});
  EXPECT_NE(scores.digests[2], scores.digests[0]);
  run({.exclude = {{"^b"}}, .most_runs = 3, .observer = &scores});
  EXPECT_NE(scores.digests[3], scores.digests[2]);
}

TEST_F(SensitivityTest, TensorsWithTheSameValuesChangeTogether) {
  {
    const auto writer = create_weights(dir_ / "tied.safetensors", {{"in", DType::kF32, {64, 64}},
                                                                   {"mid", DType::kF32, {64, 64}},
                                                                   {"out", DType::kF32, {64, 64}}});
    const std::vector<float> values = test::normal_values(64 * 64, 1);
    const std::vector<float> others = test::normal_values(64 * 64, 2);
    writer->add(std::as_bytes(std::span(values)));
    writer->add(std::as_bytes(std::span(others)));
    writer->add(std::as_bytes(std::span(values)));
    writer->commit();
  }
  std::filesystem::rename(dir_ / "tied.safetensors", input_);
  a_ = {{"in", 1e-3}, {"mid", 1e-3}, {"out", 1e-3}};
  const SensitivityReport report = run({.points = {kTcq}});
  ASSERT_THAT(report.tensors, SizeIs(3));
  EXPECT_EQ(report.n_runs, 4u);  // the original, all, the pair, the other one
  EXPECT_EQ(report.tensors[0].importance, report.tensors[2].importance);
  EXPECT_EQ(report.tensors[0].n_measured_with, 2u);
  EXPECT_EQ(report.tensors[1].n_measured_with, 1u);
}

TEST_F(SensitivityTest, WithoutAnEvaluatorHarmIsTheErrorOfOutputs) {
  const std::string statistics = write_statistics();
  const SensitivityReport report =
      measure_sensitivity(input_, {}, {.points = {kTcq}, .calibration = statistics});
  const auto [a, b] = compressed("");
  const auto [kept_a, kept_b] = compressed(statistics);
  ASSERT_THAT(report.tensors, SizeIs(3));
  const TensorSensitivity &first = report.tensors[0], &second = report.tensors[1];
  EXPECT_EQ(first.harm, kept_a.output_error->relative());
  EXPECT_EQ(first.points[0].relative_error, a.distortion->relative_error());
  EXPECT_TRUE(first.has_outputs);
  EXPECT_EQ(second.harm, b.distortion->relative_error());
  EXPECT_FALSE(second.has_outputs);
  EXPECT_NEAR(first.importance / second.importance,
              kept_a.output_error->relative() / a.distortion->relative_error(), 1e-9);
  EXPECT_FALSE(report.score);
  EXPECT_EQ(report.n_runs, 0u);
  EXPECT_THAT(test::error_of([&] { measure_sensitivity(input_, {}, {.points = {kTcq}}); }).what(),
              HasSubstr("neither an evaluator nor statistics"));
  EXPECT_STREQ(test::error_of([&] {
                 measure_sensitivity(
                     input_, {},
                     {.points = {kTcq}, .include = {{"^b"}}, .calibration = statistics});
               }).what(),
               (statistics + ": has no inputs of a tensor that an operating point compresses; "
                             "record some: pqw calibrate")
                   .c_str());
}

TEST_F(SensitivityTest, WithCalibrationCopiesKeepOutputsAndErrorsAreThoseOfTheSearch) {
  const std::string statistics = write_statistics();
  const SensitivityReport report = run({.points = {kTcq}, .calibration = statistics});
  const TensorReport kept = compressed(statistics).first, plain = compressed("").first;
  EXPECT_NEAR(report.tensors[0].harm, a_.at("a.weight") * kept.distortion->squared_error(), 1e-6);
  EXPECT_EQ(report.tensors[0].points[0].relative_error, plain.distortion->relative_error());
  EXPECT_GT(kept.distortion->relative_error(), plain.distortion->relative_error());
}

TEST_F(SensitivityTest, ScoresAreOfTheStatistics) {
  Scores scores;
  run({.points = {kTcq}, .most_runs = 2, .observer = &scores});
  run({.points = {kTcq}, .calibration = write_statistics(), .most_runs = 2, .observer = &scores});
  EXPECT_NE(scores.digests[1], scores.digests[0]);
}

TEST_F(SensitivityTest, ArraysAreCopiedAsArrays) {
  std::filesystem::remove(input_);
  input_ = dir_ / "m.npz";
  test::write_normal_weights(input_, kTensors);
  expect_importances_in_proportion(run({}));
  for (const auto& [path, names] : changed_) EXPECT_TRUE(path.ends_with("run1-m.npz")) << path;
}

// A folder of two files, an index, and a file that is no weights.
class SensitivityOfAFolder : public SensitivityTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(dir_ / "model");
    const std::span tensors(kTensors);
    test::write_normal_weights(folder_ + "/1.safetensors", {tensors.begin(), tensors.begin() + 2});
    test::write_normal_weights(folder_ + "/2.safetensors", {tensors.begin() + 2, tensors.end()}, 9);
    test::set_content(index_, R"({"weight_map": {"a.weight": "1.safetensors",
        "a.bias": "1.safetensors", "b.weight": "2.safetensors", "c.weight": "2.safetensors"}})");
    test::set_content(folder_ + "/config.json", "{}");
  }

  const std::string folder_ = dir_ / "model", index_ = folder_ + "/m.safetensors.index.json";
};

TEST_F(SensitivityOfAFolder, CopiesAreFoldersWithLinksToWhatIsTheSame) {
  input_ = folder_ + "/";
  std::vector<std::string> links;
  const SensitivityReport report =
      measure_sensitivity(input_,
                          [&](const std::string& path) {
                            if (path.ends_with("run1-model")) {
                              links.emplace_back();
                              for (const auto& entry : std::filesystem::directory_iterator(path)) {
                                if (entry.is_symlink())
                                  links.back() += entry.path().filename().string()[0];
                              }
                              std::ranges::sort(links.back());
                            }
                            return score(path);
                          },
                          {.points = {kTcq}, .recipe = dir_ / "r.yaml"});
  expect_importances_in_proportion(report);
  // Config and index, with the file without new values: of all tensors, a, b and c.
  EXPECT_THAT(links, ElementsAre("cm", "2cm", "1cm", "1cm"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "r.yaml.sensitivity.pqw.tmp"));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder_ + "/1.safetensors"));
}

TEST_F(SensitivityOfAFolder, TheCopyOfAnIndexIsAnIndex) {
  input_ = index_;
  expect_importances_in_proportion(run({.points = {kTcq}, .jobs = 2}));
  for (const auto& [path, names] : changed_) {
    EXPECT_TRUE(path.ends_with("-model/m.safetensors.index.json")) << path;
  }
}

TEST_F(SensitivityTest, NothingIsLeftBehind) {
  run({.points = {kTcq}, .recipe = dir_ / "r.yaml"});
  EXPECT_TRUE(std::filesystem::exists(dir_ / "r.yaml"));
  SensitivityOptions options{.points = {kTcq}, .recipe = dir_ / "s.yaml"};
  const Error error = test::error_of([&] {
    measure_sensitivity(
        input_,
        [&](const std::string& path) {
          if (path == input_) return 1.0;
          throw Error(ErrorCode::kIo, "the command failed");
        },
        options);
  });
  EXPECT_STREQ(error.what(), "the command failed");
  std::size_t n_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("m.safetensors", "r.yaml"));
    ++n_files;
  }
  EXPECT_EQ(n_files, 2u);
}

TEST_F(SensitivityTest, MistakesAreErrors) {
  const auto message = [&](SensitivityOptions options) {
    return std::string(test::error_of([&] { run(std::move(options)); }).what());
  };
  EXPECT_THAT(message({.most_runs = 2}), HasSubstr("at most 2 runs: the original and each"));
  EXPECT_THAT(message({.include = {Pattern("^z")}}), HasSubstr("pattern '^z' matches no tensor"));
  EXPECT_THAT(message({.include = {{"bias"}}}),
              HasSubstr("no operating point compresses any tensor"));
  EXPECT_THAT(message({.recipe = input_}), HasSubstr("input and output are the same file"));
  EXPECT_THAT(message({.other_outputs = {input_}}),
              HasSubstr("input and output are the same file"));
  EXPECT_THAT(message({.recipe = dir_ / "none/r.yaml"}), HasSubstr("its folder does not exist"));
  EXPECT_EQ(n_evaluated_, 1u);  // of the pattern that keeps all that could be compressed
  const Error error = test::error_of([&] {
    measure_sensitivity(input_, [](const std::string&) { return std::nan(""); },
                        {.points = {kTcq}});
  });
  EXPECT_STREQ(error.what(), (input_ + ": the original: the score is nan; expected a number "
                                       "from -1e100 to 1e100")
                                 .c_str());
  compress(input_, dir_ / "m.h5", {});
  std::filesystem::rename(dir_ / "m.h5", input_);
  EXPECT_THAT(message({}), HasSubstr("is a pqw archive already"));
}

TEST_F(SensitivityTest, NoHarmIsSaid) {
  a_.clear();
  const SensitivityReport report = run({.points = {kTcq}});
  EXPECT_THAT(report.note, HasSubstr("all importances are 1"));
  EXPECT_EQ(report.n_runs, 2u);
  EXPECT_EQ(report.tensors[0].importance, 1);
}

// A loss of ratio²; no archive is 12 times smaller or more.
TEST(LossTarget, BisectsOverTheRatio) {
  std::size_t n = 0;
  const auto trial = [&](double ratio) -> std::optional<LossTrial> {
    ++n;
    if (ratio > 12) return std::nullopt;
    return LossTrial{{ratio, 0, 0, ratio * ratio}, "recipe"};
  };
  EXPECT_NEAR(smallest_within(16, 1, 64, "m", trial).target.ratio, 4, 4 * 0.034);
  EXPECT_THAT(n, Le(kMostTrials));
  EXPECT_NEAR(smallest_within(1e9, 1, 64, "m", trial).target.ratio, 12, 12 * 0.034);
  EXPECT_EQ(smallest_within(1, 1, 64, "m", trial).target.ratio, 1);
  EXPECT_THROW(smallest_within(0.9, 1, 64, "m", trial), Error);
  n = 0;
  EXPECT_THROW(smallest_within(0.9, 20, 1e6, "m", trial), Error);
  EXPECT_EQ(n, kMostTrials);
}

}  // namespace
}  // namespace pqw
