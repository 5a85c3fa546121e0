// FAISS as the independent oracle of our own EM.
#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/distortion.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

double squared_error(const std::vector<float>& values, std::size_t rows, PqOptions options) {
  options.gain = Gain::kLeastSquares;
  const ConstMatrix w(values.data(), rows, values.size() / rows);
  const PqWeight weight = pq_from_float(w, options);
  std::vector<float> decoded(values.size());
  PqCodec::decode_rows(weight, 0, {decoded.data(), w.rows(), w.cols()});
  Distortion distortion;
  distortion.add(values, decoded);
  return distortion.squared_error();
}

void expect_no_worse_than_faiss(const std::vector<float>& values, std::size_t rows,
                                PqOptions options) {
  options.tolerance = 0;
  options.engine = Engine::kNative;
  const double native = squared_error(values, rows, options);
  options.engine = Engine::kFaiss;
  const double faiss = squared_error(values, rows, options);
  EXPECT_LE(native, 1.01 * faiss);
  EXPECT_GE(native, 0.8 * faiss);  // a sum that is far lower would be counted wrongly
}

TEST(FaissTrainer, NativeObjectiveIsNoWorseOnNormalWeights) {
  expect_no_worse_than_faiss(test::normal_values(128 * 128, 1), 128,
                             {.block_size = 4, .n_centroids = 64, .iterations = 25});
  expect_no_worse_than_faiss(test::normal_values(128 * 144, 2), 128,
                             {.block_size = 9, .n_centroids = 64, .iterations = 25});
}

TEST(FaissTrainer, NativeObjectiveIsNoWorseOnAMixture) {
  expect_no_worse_than_faiss(test::mixture_values(2048, 8, 125, 3, 0.3f), 64,
                             {.block_size = 8, .n_centroids = 64, .iterations = 25});
}

TEST(FaissTrainer, DataFarFromTheOriginIsClusteredToo) {
  const auto values = test::normal_values(128 * 128, 5, 100, 0.01f);
  PqOptions options{.block_size = 8, .n_centroids = 64, .codebook_dtype = DType::kF32};
  options.engine = Engine::kFaiss;
  const double variance = 0.01 * 0.01 * static_cast<double>(values.size());
  EXPECT_LT(squared_error(values, 128, options), 0.6 * variance);
}

TEST(FaissTrainer, ReportsItsIterations) {
  struct Observer : EmObserver {
    void on_iteration(const EmIteration& iteration) override {
      objectives.push_back(iteration.objective);
    }
    std::vector<double> objectives;
  } observer;
  const auto values = test::normal_values(64 * 64, 7);
  pq_from_float(ConstMatrix(values.data(), 64, 64),
                {.block_size = 4,
                 .n_centroids = 16,
                 .iterations = 5,
                 .restarts = 1,
                 .engine = Engine::kFaiss},
                {.observer = &observer});
  ASSERT_EQ(observer.objectives.size(), 5u);
  EXPECT_LT(observer.objectives.back(), observer.objectives.front());
}

// Four far clusters, which one start in four or so finds all of.
TEST(FaissTrainer, TheBestOfSeveralRunsCounts) {
  struct Observer : EmObserver {
    void on_iteration(const EmIteration& iteration) override { last_run = iteration.restart; }
    std::size_t last_run = 0;
  } observer;
  std::vector<float> values = test::normal_values(4096, 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t cluster = i / 8 % 4;
    const bool first_half = i % 8 < 4;
    values[i] += first_half == (cluster % 2 == 0) ? 100.0f : -100.0f;
    values[i] += cluster < 2 ? 200.0f : -200.0f;
  }
  PqOptions options{.block_size = 8, .n_centroids = 4, .engine = Engine::kFaiss};
  double worst = 0;
  for (options.seed = 0, options.restarts = 1; options.seed < 20; ++options.seed) {
    worst = std::max(worst, squared_error(values, 64, options));
  }
  EXPECT_GT(worst, 4096 * 100) << "a single run ends in a local optimum at times";
  for (options.seed = 0, options.restarts = 20; options.seed < 20; options.seed += 5) {
    EXPECT_LT(squared_error(values, 64, options), 4096 * 1.2);
  }
  pq_from_float(ConstMatrix(values.data(), 64, 64), options, {.observer = &observer});
  EXPECT_EQ(observer.last_run, 19u);
}

}  // namespace
}  // namespace pqw
