// Whole files with a target.
#include "compress/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <filesystem>
#include <optional>

#include "compress/points.h"
#include "compress/probe.h"
#include "pqw/compress/compress.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/foreseen.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

const std::vector<TensorInfo> kTensors = {{"conv.weight", DType::kF32, {64, 32, 3, 3}},
                                          {"wide.weight", DType::kF32, {96, 256}},
                                          {"half.weight", DType::kF16, {128, 64}},
                                          {"thin.weight", DType::kF32, {64, 1, 3, 3}},
                                          {"conv.bias", DType::kF32, {64}}};

class SearchTest : public testing::Test {
 protected:
  void SetUp() override { test::write_normal_weights(input_, kTensors); }

  Report run(const Recipe& recipe, const std::string& name = "m.h5") const {
    return compress(input_, dir_ / name, recipe, {.overwrite = true});
  }
  Report run(const Target& target) const { return run(Recipe{.target = target}); }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "m.safetensors";
};

std::string settings_of(const Report& report, const std::string& name) {
  for (const TensorReport& tensor : report.tensors) {
    if (tensor.info.name == name) return tensor.codec + ":" + tensor.settings;
  }
  return "no such tensor";
}

TEST_F(SearchTest, FillsASize) {
  std::vector<TensorInfo> tensors;
  for (std::size_t i = 0; i < 12; ++i) {
    tensors.push_back({"w" + std::to_string(i), DType::kF32, {40 + 5 * i, 64}});
  }
  test::write_normal_weights(input_, tensors);
  for (const double bytes : {30e3, 40e3}) {
    const Report report = run({TargetKind::kSize, bytes});
    EXPECT_THAT(report.file_bytes, AllOf(Le(bytes), Ge(0.99 * bytes)));
    EXPECT_EQ(report.file_bytes, std::filesystem::file_size(dir_ / "m.h5"));
    EXPECT_EQ(report.search->target_bytes, bytes);
  }
}

TEST_F(SearchTest, BitsAndRatiosAreSizes) {
  // 18432 + 24576 + 8192 + 576 + 64 weights; all but 8192 of them have 4 bytes, those have 2.
  constexpr double kWeights = 51840, kBytes = 4 * kWeights - 2 * 8192;
  EXPECT_EQ(run({TargetKind::kBitsPerWeight, 10}).search->target_bytes, kWeights * 10 / 8);
  EXPECT_EQ(run({TargetKind::kRatio, 3}).search->target_bytes, std::floor(kBytes / 3));
}

TEST_F(SearchTest, ADryRunFindsTheSameChoiceAndEstimatesTheSize) {
  const Recipe recipe{.defaults = {{"for", "serving"}}, .target = Target{TargetKind::kSize, 60e3}};
  const Report planned = plan_compression(input_, recipe), made = run(recipe);
  test::expect_foreseen(planned, made);
  EXPECT_NEAR(static_cast<double>(planned.search->estimated_bytes),
              static_cast<double>(made.file_bytes), 600);
  EXPECT_EQ(planned.search->estimated_error, made.search->estimated_error);
  EXPECT_EQ(planned.search->error, std::nullopt);
}

TEST_F(SearchTest, AnyNumberOfThreadsGivesTheSameBytes) {
  const Recipe recipe{.target = Target{TargetKind::kSize, 60e3}};
  const int n_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  run(recipe, "one.h5");
  omp_set_num_threads(3);
  run(recipe, "three.h5");
  omp_set_num_threads(n_threads);
  EXPECT_EQ(test::content(dir_ / "one.h5"), test::content(dir_ / "three.h5"));
}

TEST_F(SearchTest, TheErrorIsThatOfTheMetric) {
  for (const Metric metric : {Metric::kRelative, Metric::kTotal}) {
    const Report report = run({TargetKind::kSize, 40e3, metric});
    double relative = 0, error = 0, norm = 0;
    for (const TensorReport& tensor : report.tensors) {
      if (!tensor.compressed()) continue;
      relative += tensor.distortion->relative_error() / 4;
      error += tensor.distortion->squared_error();
      norm += tensor.distortion->squared_norm();
    }
    ASSERT_TRUE(report.tensors[3].compressed()) << "else the mean is over fewer tensors";
    EXPECT_NEAR(*report.search->error, metric == Metric::kTotal ? error / norm : relative, 1e-12);
    EXPECT_NEAR(report.search->estimated_error / *report.search->error, 1, 0.15);
  }
}

// Many small tensors, so that the operating points leave no gaps.
TEST_F(SearchTest, AnErrorIsMetAfterEncoding) {
  std::vector<TensorInfo> tensors;
  for (std::size_t i = 0; i < 24; ++i) {
    tensors.push_back({"w" + std::to_string(i), DType::kF32, {40 + 5 * i, 64}});
  }
  test::write_normal_weights(input_, tensors);
  for (const double error : {0.01, 0.05, 0.2}) {
    const Report report = run({TargetKind::kError, error});
    EXPECT_THAT(*report.search->error, AllOf(Le(error), Ge(0.96 * error)));
    EXPECT_EQ(report.search->target_error, error);
    EXPECT_EQ(report.file_bytes, std::filesystem::file_size(dir_ / "m.h5"));
    const std::string bytes = test::content(dir_ / "m.h5");
    omp_set_num_threads(1);
    run({TargetKind::kError, error});
    omp_set_num_threads(omp_get_num_procs());
    EXPECT_EQ(test::content(dir_ / "m.h5"), bytes);
  }
}

// The tensor of the rule has nearly all of the error, so a corrected aim is below it: no choice
// reaches that. The other tensor is one whose error is larger than its probe says.
TEST_F(SearchTest, AnErrorAboveTheTargetIsSaid) {
  test::write_normal_weights(input_,
                             {{"a", DType::kF32, {96, 64}}, {"b", DType::kF32, {800, 256}}});
  const auto with = [](double error) {
    return Recipe{.defaults = {{"for", "serving"}},
                  .rules = {{{"a"}, {{"codec", "pq"}, {"block_size", "8"}, {"centroids", "16"}}}},
                  .target = Target{TargetKind::kError, error}};
  };
  const double least = run(with(1)).tensors[0].distortion->relative_error() / 2;
  const SearchOutcome met = *run(with(least + 0.0005)).search;
  EXPECT_EQ(met.note, "");
  ASSERT_GT(*met.error, met.estimated_error);
  const double between = (met.estimated_error + *met.error) / 2;
  const SearchOutcome above = *run(with(between)).search;
  EXPECT_GT(*above.error, between);
  EXPECT_THAT(above.note, testing::StartsWith("above the target"));
}

TEST_F(SearchTest, ImportanceWithoutATargetIsRefused) {
  EXPECT_EQ(test::error_of([&] {
              run(Recipe{.rules = {{{"wide"}, {{"importance", "2"}}}}});
            }).what(),
            std::string("importance: it counts only in the search for a target; add --target-size, "
                        "--target-bpw, --target-ratio or --target-error, or leave it out"));
}

TEST_F(SearchTest, ARuleOnTheGainStaysInTheSearch) {
  const Report report = run(
      Recipe{.rules = {{{"wide"}, {{"gain", "none"}}}}, .target = Target{TargetKind::kSize, 50e3}});
  EXPECT_THAT(report.tensors[1].options, HasSubstr("gain=none"));
  EXPECT_THAT(report.file_bytes, AllOf(Le(50e3), Ge(0.98 * 50e3)));
}

TEST_F(SearchTest, AnErrorIsReachedWithFewerBytesIfItIsLarger) {
  const Report fine = run({TargetKind::kError, 0.02}), coarse = run({TargetKind::kError, 0.2});
  EXPECT_THAT(*fine.search->error, AllOf(Le(0.02), Ge(0.016)));
  EXPECT_THAT(*coarse.search->error, AllOf(Le(0.2), Ge(0.16)));
  EXPECT_LT(coarse.file_bytes, fine.file_bytes);
  EXPECT_EQ(fine.search->target_error, 0.02);
}

TEST_F(SearchTest, EqualSlopesBeatEqualSettings) {
  const Recipe uniform{.defaults = {{"centroids", "256"}, {"thin", "same"}}};
  const Report one = run(uniform);
  const auto bytes = static_cast<double>(one.file_bytes);
  const Report best = run({TargetKind::kSize, bytes, Metric::kTotal});
  EXPECT_LT(best.distortion()->squared_error(), one.distortion()->squared_error());
}

TEST_F(SearchTest, ASizeBelowTheSmallestIsAnErrorThatNamesIt) {
  const auto of_size = [](double bytes) {
    return Recipe{.defaults = {{"for", "serving"}}, .target = Target{TargetKind::kSize, bytes}};
  };
  const Error error = test::error_of([&] { run(of_size(5000)); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  const std::string start =
      "the target is 5000 bytes; the smallest archive that the codecs can make";
  const std::string text = error.what();
  ASSERT_THAT(text, HasSubstr(start));
  constexpr std::string_view kBefore = " has at most ";
  const double smallest = std::stod(text.substr(text.find(kBefore) + kBefore.size()));
  EXPECT_THAT(run(of_size(smallest)).file_bytes, AllOf(Le(smallest), Ge(0.8 * smallest)));
  EXPECT_THAT(test::error_of([&] { run(of_size(0.8 * smallest)); }).what(),
              HasSubstr("the smallest archive"));
}

TEST_F(SearchTest, ASizeAboveTheLargestKeepsEveryTensor) {
  const Report report = run({TargetKind::kSize, 1e9});
  EXPECT_EQ(report.search->note, "no tensor can be more exact");
  EXPECT_EQ(*report.search->error, 0);
  for (const TensorReport& tensor : report.tensors) EXPECT_EQ(tensor.codec, "plain");
}

TEST_F(SearchTest, AnErrorAboveTheLargestGivesTheSmallestArchive) {
  const Report report = run({TargetKind::kError, 10});
  EXPECT_EQ(report.search->note, "no choice is smaller");
  EXPECT_THAT(settings_of(report, "wide.weight"), testing::StartsWith("tcq:"));
  EXPECT_THAT(report.tensors[1].options, HasSubstr("bits=0.25"));
}

TEST_F(SearchTest, RulesThatNameACodecKeepIt) {
  const Recipe recipe{.rules = {{"wide", {{"centroids", "32"}}}, {"conv", {{"codec", "int8"}}}},
                      .target = Target{TargetKind::kSize, 60e3}};
  const Report report = run(recipe);
  EXPECT_EQ(settings_of(report, "wide.weight"), "pq:block_size=4,centroids=32");
  EXPECT_THAT(settings_of(report, "conv.weight"), testing::StartsWith("int8:"));
  EXPECT_THAT(report.file_bytes, Le(60e3));
}

TEST_F(SearchTest, ImportantTensorsGetMoreBits) {
  const auto bits_of_wide = [&](const char* importance) {
    const Recipe recipe{.rules = {{"wide", {{"importance", importance}}}},
                        .target = Target{TargetKind::kSize, 50e3}};
    return run(recipe).tensors[1].bits_per_weight();
  };
  EXPECT_LT(bits_of_wide("0.01"), bits_of_wide("1"));
  EXPECT_LT(bits_of_wide("1"), bits_of_wide("100"));
}

TEST_F(SearchTest, DefaultsThatATargetChoosesAreRefused) {
  const Recipe recipe{.defaults = {{"block_size", "8"}}, .target = Target{TargetKind::kSize, 5e4}};
  EXPECT_THAT(test::error_of([&] { run(recipe); }).what(),
              HasSubstr("block_size=8 for all tensors: a target chooses it"));
}

TEST_F(SearchTest, OtherDefaultsStay) {
  const Recipe recipe{.defaults = {{"seed", "5"}, {"for", "serving"}},
                      .target = Target{TargetKind::kSize, 5e4}};
  EXPECT_THAT(run(recipe).tensors[1].options, HasSubstr("seed=5"));
}

TEST_F(SearchTest, EqualTensorsAreStoredOnce) {
  const std::vector<TensorInfo> alike = {{"a.weight", DType::kF32, {96, 256}},
                                         {"b.weight", DType::kF32, {96, 256}},
                                         {"c.weight", DType::kF32, {64, 96}}};
  const auto writer = create_weights(input_, alike, {}, {.overwrite = true});
  for (const TensorInfo& info : alike) {
    const auto values = test::normal_values(element_count(info.shape), 7);
    writer->add(std::as_bytes(std::span(values)));
  }
  writer->commit();
  const Recipe recipe{.defaults = {{"for", "serving"}}, .target = Target{TargetKind::kSize, 30e3}};
  const Report report = run(recipe);
  EXPECT_EQ(report.tensors[1].codec, "alias");
  EXPECT_THAT(report.file_bytes, Le(30e3));
  test::expect_foreseen(plan_compression(input_, recipe), report);
}

TEST_F(SearchTest, TheRecipeOfAReportMakesTheSameArchive) {
  const Report report = run({TargetKind::kSize, 60e3});
  {
    std::ofstream file(dir_ / "r.yaml");
    file << recipe_text(report);
  }
  run(read_recipe(dir_ / "r.yaml"), "again.h5");
  EXPECT_EQ(test::content(dir_ / "again.h5"), test::content(dir_ / "m.h5"));
}

TEST_F(SearchTest, TheObserverFollowsTheSearch) {
  struct Observer : CompressObserver {
    void on_start(std::size_t, std::size_t) override {}
    void on_tensor(const TensorInfo&) override { after_search = true; }
    void on_tensor_done(const TensorReport&) override {}
    void on_iteration(const EmIteration&) override {}
    void on_search(std::size_t n, std::size_t m) override {
      EXPECT_FALSE(after_search);
      EXPECT_LE(n, m);
      EXPECT_GE(n, last);
      last = n;
    }
    std::size_t last = 0;
    bool after_search = false;
  } observer;
  const Report report = compress(input_, dir_ / "m.h5", {.target = Target{TargetKind::kSize, 60e3}},
                                 {.observer = &observer});
  EXPECT_EQ(observer.last, report.search->n_points);
}

TEST(OperatingPoints, DependOnTheUse) {
  const TensorInfo info{"w", DType::kF32, {512, 512}};
  const auto most = [&](Use use) {
    std::size_t k = 0;
    for (const OperatingPoint& point :
         operating_points(info, {}, {}, use, element_count(info.shape))) {
      if (const auto* pq = std::get_if<PqOptions>(&point.options)) k = std::max(k, pq->n_centroids);
    }
    return k;
  };
  EXPECT_EQ(most(Use::kServing), 256u);
  EXPECT_EQ(most(Use::kAny), 1024u);
  EXPECT_EQ(most(Use::kStorage), 4096u);
}

// The first point of tcq.
std::optional<TcqOptions> tcq_of(Metric metric, Use use) {
  for (const OperatingPoint& point : operating_points(
           {"w", DType::kF32, {64, 100}}, {.gain = Gain::kLeastSquares}, metric, use, 6400)) {
    if (const auto* tcq = std::get_if<TcqOptions>(&point.options)) return *tcq;
  }
  return std::nullopt;
}

TEST(OperatingPoints, HaveTcqUnlessForServing) {
  EXPECT_EQ(tcq_of(Metric::kRelative, Use::kServing), std::nullopt);
  const TcqOptions relative = tcq_of(Metric::kRelative, Use::kStorage).value();
  EXPECT_EQ(relative.lambda, 0);
  EXPECT_EQ(relative.gain, Gain::kLeastSquares);
  const TcqOptions total = tcq_of(Metric::kTotal, Use::kAny).value();
  EXPECT_EQ(total.lambda, 0.3);
}

// 0.25, 0.375, ... 12 bits; with more than a twentieth of the file 0.25, 0.28125, ... 12 bits.
TEST(OperatingPoints, OfTcqTakeTheirBits) {
  for (const auto& [n_weights_of_file, n_points] :
       {std::pair<std::size_t, std::size_t>{20 * 6400, 95}, {20 * 6400 - 1, 377}}) {
    std::size_t n = 0;
    for (const OperatingPoint& point :
         operating_points({"w", DType::kF32, {64, 100}}, {}, {}, {}, n_weights_of_file)) {
      const auto* tcq = std::get_if<TcqOptions>(&point.options);
      if (tcq == nullptr) continue;
      ++n;
      EXPECT_EQ(point.bytes, static_cast<std::uint64_t>(800 * tcq->bits));
    }
    EXPECT_EQ(n, n_points);
  }
}

// For the least error only.
TEST(OperatingPoints, HaveLambdasForServing) {
  const auto n_lambdas = [](const PqOptions& base, Metric metric) {
    const auto points =
        operating_points({"w", DType::kF32, {64, 100}}, base, metric, Use::kServing, 6400);
    return std::ranges::count_if(points, [](const OperatingPoint& point) {
      const auto* pq = std::get_if<PqOptions>(&point.options);
      return pq != nullptr && pq->lambda > 0;
    });
  };
  EXPECT_GT(n_lambdas({.gain = Gain::kLeastSquares}, Metric::kTotal), 0);
  EXPECT_EQ(n_lambdas({.gain = Gain::kLeastSquares, .entropy_coding = false}, Metric::kTotal), 0);
  EXPECT_EQ(n_lambdas({.gain = Gain::kUnbiased}, Metric::kTotal), 0);
  EXPECT_EQ(n_lambdas({.gain = Gain::kLeastSquares}, Metric::kRelative), 0);
}

// Series of one point or two, too: their errors could not be guessed.
TEST(OperatingPoints, TwoOfEachSeriesAreProbedFirst) {
  for (const std::size_t rows : {16u, 40u, 512u}) {
    const TensorInfo info{"w", DType::kF32, {rows, 8}};
    std::map<std::size_t, std::pair<std::size_t, std::size_t>> series;  // points, probed first
    for (const OperatingPoint& point :
         operating_points(info, {}, {}, {}, element_count(info.shape))) {
      ++series[point.series].first;
      series[point.series].second += point.is_probed_first;
    }
    for (const auto& [number, counts] : series) {
      EXPECT_EQ(counts.second, std::min<std::size_t>(2, counts.first)) << rows << ' ' << number;
    }
  }
}

TEST(OperatingPoints, KnowTheirBytes) {
  const TensorInfo info{"w", DType::kF32, {64, 100}};
  FloatTensor tensor{info, test::normal_values(6400, 3)};
  std::size_t n_scaled = 0;
  for (const OperatingPoint& point :
       operating_points(info, {}, {}, {}, element_count(info.shape))) {
    const auto* pq = std::get_if<PqOptions>(&point.options);
    n_scaled += pq != nullptr && pq->row_scales != RowScales::kNone;
    const auto size = Encoding(tensor, point.options).size();
    if (!size) continue;  // tcq
    EXPECT_EQ(point.bytes, data_bytes(size->record)) << to_string(point.options);
  }
  EXPECT_GT(n_scaled, 0u);
}

TEST(OperatingPoints, KeepTheOtherOptions) {
  for (const OperatingPoint& point : operating_points(
           {"w", DType::kF32, {64, 64}}, {.seed = 9, .gain = Gain::kEnergy}, {}, {}, 4096)) {
    if (const auto* pq = std::get_if<PqOptions>(&point.options)) {
      EXPECT_EQ(pq->seed, 9u);
      EXPECT_EQ(pq->gain, Gain::kEnergy);
    }
  }
}

TEST(ProbedError, IsCloseToTheErrorOfAFullRun) {
  const FloatTensor tensor{{"w", DType::kF32, {256, 256}}, test::normal_values(65536, 4)};
  const PqOptions options{.block_size = 4, .n_centroids = 64};
  const Weight weight = Encoding(tensor, options).encode();
  std::vector<float> decoded(65536);
  decode_rows(weight, 0, MutableMatrix(decoded.data(), 256, 256));
  Distortion full;
  full.add(std::span<const float>(tensor.values), std::span<const float>(decoded));
  EXPECT_NEAR(*probe(tensor, options).relative_error / full.relative_error(), 1, 0.05);
}

// Of every second row of a tensor with heavy tails.
TEST(ProbedBytes, AreCloseToWhatEntropyCodingSaves) {
  FloatTensor tensor{{"w", DType::kF32, {512, 256}}, test::normal_values(512 * 256, 4)};
  for (float& value : tensor.values) value = value * value * value;
  const PqOptions options{.block_size = 2, .n_centroids = 64};
  const Encoding encoding(tensor, options);
  const double saved = static_cast<double>(data_bytes(encoding.size()->record)) -
                       static_cast<double>(data_bytes(to_record(encoding.encode(), "w")));
  EXPECT_GT(saved, 1000);
  EXPECT_NEAR(probe(tensor, options).saved_bytes / saved, 1, 0.1);
  PqOptions packed = options;
  packed.entropy_coding = false;
  EXPECT_EQ(probe(tensor, packed).saved_bytes, 0);
}

TEST(MetricSums, WeighTensors) {
  MetricSum relative(Metric::kRelative), total(Metric::kTotal);
  for (MetricSum* sum : {&relative, &total}) {
    sum->add(1, 10, 1);  // relative error 0.1
    sum->add(2, 4, 3);   // 0.5, three times as important
    sum->add(0, 0, 1);   // zeros do not count
  }
  EXPECT_DOUBLE_EQ(relative.value(), (0.1 + 3 * 0.5) / 4);
  EXPECT_DOUBLE_EQ(total.value(), (1 + 3 * 2.0) / (10 + 3 * 4.0));
}

}  // namespace
}  // namespace pqw
