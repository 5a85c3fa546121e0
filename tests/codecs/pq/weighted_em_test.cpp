// EM with importances of rows and columns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/update.h"
#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

PqWeight encode_weighted(ConstMatrix w, const PqOptions& options, const PqImportance& importance,
                         EmObserver* observer = nullptr) {
  return pq_from_float(w, options, {.observer = observer, .importance = &importance});
}

using testing::ElementsAre;

struct LastObjective : EmObserver {
  void on_iteration(const EmIteration& iteration) override {
    value = iteration.objective;
    ++n_iterations;
  }
  double value = -1;
  std::size_t n_iterations = 0;
};

// Σ rows[r] columns[c] (w - ŵ)² by its definition.
double weighted_error(const std::vector<float>& w, const PqWeight& weight,
                      const std::vector<float>& rows, const std::vector<float>& columns) {
  std::vector<float> v(w.size());
  PqCodec::decode_rows(weight, 0, {v.data(), weight.rows(), weight.cols()});
  double sum = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double difference = static_cast<double>(w[i]) - v[i];
    const double row = rows.empty() ? 1 : rows[i / weight.cols()];
    const double column = columns.empty() ? 1 : columns[i % weight.cols()];
    sum += row * column * difference * difference;
  }
  return sum;
}

TEST(WeightedEStep, ColumnsChangeWhichCentroidIsNearest) {
  // One position of two columns; centroid 0 is off in the first column, 1 in the second.
  const std::vector<float> blocks{0, 0, 0, 0};
  const std::vector<float> codebook{1, 0, 0, 2};
  std::vector<std::uint16_t> codes(2);
  const std::vector<float> columns{9, 1};
  EXPECT_DOUBLE_EQ(assign({blocks, 2}, codebook, codes, {2, {}, columns}), 4 + 4);
  EXPECT_THAT(codes, ElementsAre(1, 1));
  const std::vector<float> rows{1, 10};
  EXPECT_DOUBLE_EQ(assign({blocks, 2}, codebook, codes, {2, rows, columns}), 4 + 40);
  EXPECT_DOUBLE_EQ(assign({blocks, 2}, codebook, codes, {2, rows, {}}), 1 + 10);
  EXPECT_THAT(codes, ElementsAre(0, 0));
}

TEST(WeightedMStep, MeansAreWeightedByRowAndColumn) {
  // Two positions x two rows of blocks of two columns.
  const std::vector<float> blocks{1, 1, 3, 3, 5, 5, 9, 9};
  const std::vector<std::uint16_t> codes{0, 0, 0, 1};
  const std::vector<float> rows{1, 3};
  const std::vector<float> columns{1, 2, 4, 0};
  std::vector<float> codebook{0, 0, 7, 8};
  update_centroids({blocks, 2}, codes, codebook, {2, rows, {}});
  EXPECT_THAT(codebook, ElementsAre(3, 3, 9, 9));  // (1 + 3*3 + 5) / (1 + 3 + 1)
  codebook = {0, 0, 7, 8};
  const Clusters clusters = update_centroids({blocks, 2}, codes, codebook, {2, rows, columns});
  // Centroid 0: first column (1*1 + 3*3 + 4*5) / (1 + 3 + 4), second (2*1 + 6*3) / 8; centroid 1:
  // no weight on the second column, which stays.
  EXPECT_THAT(codebook, ElementsAre(3.75f, 2.5f, 9, 8));
  EXPECT_THAT(clusters.sizes, ElementsAre(3, 1));
}

TEST(WeightedEncode, ImportancesOfOneChangeNothing) {
  const auto w = test::normal_values(128 * 30, 1);
  const ConstMatrix matrix(w.data(), 128, 30);
  const PqOptions options{.block_size = 4, .n_centroids = 32};
  const std::vector<float> rows(128, 1.0f);
  const PqWeight plain = pq_from_float(matrix, options);
  const PqWeight weighted = encode_weighted(matrix, options, {.rows = rows});
  EXPECT_EQ(weighted.codes, plain.codes);
  EXPECT_EQ(weighted.codebooks, plain.codebooks);
}

TEST(WeightedEncode, LowersTheWeightedErrorAndReportsIt) {
  const auto w = test::normal_values(256 * 64, 2);
  const ConstMatrix matrix(w.data(), 256, 64);
  std::vector<float> rows(256), columns(64);
  for (std::size_t r = 0; r < rows.size(); ++r) rows[r] = r % 8 == 0 ? 50.0f : 1.0f;
  for (std::size_t c = 0; c < columns.size(); ++c) columns[c] = c % 4 == 1 ? 30.0f : 0.5f;
  const PqOptions options{.block_size = 4,
                          .n_centroids = 64,
                          .iterations = 40,
                          .tolerance = 0,
                          .codebook_dtype = DType::kF32,
                          .gain = Gain::kLeastSquares};
  const double unaware = weighted_error(w, pq_from_float(matrix, options), rows, columns);
  LastObjective last;
  PqOptions once = options;
  once.restarts = 1;
  const PqWeight aware = encode_weighted(matrix, once, {.rows = rows, .columns = columns}, &last);
  const double error = weighted_error(w, aware, rows, columns);
  EXPECT_LT(error, 0.6 * unaware);
  EXPECT_LE(error, last.value * (1 + 1e-5)) << "one M-step and E-step after the last report";
  EXPECT_GE(error, 0.98 * last.value);
}

TEST(WeightedEncode, ZeroWeightsEndAndDoNotCount) {
  auto w = test::normal_values(64 * 16, 3);
  for (std::size_t i = 0; i < 32 * 16; ++i) w[i] = 1000.0f + static_cast<float>(i);
  const ConstMatrix matrix(w.data(), 64, 16);
  std::vector<float> rows(64, 1.0f);
  std::fill_n(rows.begin(), 32, 0.0f);  // the large half does not matter
  const PqOptions options{.block_size = 4, .n_centroids = 16};
  const double error =
      weighted_error(w, encode_weighted(matrix, options, {.rows = rows}), rows, {});
  EXPECT_LT(error, 0.6 * 32 * 16);
  const std::vector<float> no_rows(64), no_columns(16);
  LastObjective last;
  encode_weighted(matrix, options, {.rows = no_rows}, &last);
  EXPECT_EQ(last.value, 0);
  encode_weighted(matrix, options, {.columns = no_columns}, &last);
  EXPECT_EQ(last.value, 0);
  EXPECT_LE(last.n_iterations, 2 * 10 * options.iterations);
}

TEST(WeightedEncode, TailsHaveNoImportance) {
  const auto w = test::normal_values(100 * 6, 5);  // the second position is half padding
  const ConstMatrix matrix(w.data(), 100, 6);
  const std::vector<float> columns{1, 1, 1, 1, 100, 100};
  const PqOptions options{.block_size = 4, .n_centroids = 50, .codebook_dtype = DType::kF32};
  const double unaware = weighted_error(w, pq_from_float(matrix, options), {}, columns);
  const double aware =
      weighted_error(w, encode_weighted(matrix, options, {.columns = columns}), {}, columns);
  EXPECT_LT(aware, 0.7 * unaware);
}

TEST(WeightedEncode, ImpossibleImportancesAreRefused) {
  const auto w = test::normal_values(8 * 8, 5);
  const ConstMatrix matrix(w.data(), 8, 8);
  const PqOptions options{.block_size = 4, .n_centroids = 4};
  const std::vector<float> short_one(7, 1.0f), negative(8, -1.0f), infinite(8, HUGE_VALF),
      ones(8, 1.0f);
  for (const auto& bad : {short_one, negative, infinite}) {
    EXPECT_THROW(encode_weighted(matrix, options, {.rows = bad}), Error);
    EXPECT_THROW(encode_weighted(matrix, options, {.columns = bad}), Error);
  }
  PqOptions faiss = options;
  faiss.engine = Engine::kFaiss;
  EXPECT_THROW(encode_weighted(matrix, faiss, {.rows = ones}), Error);
}

}  // namespace
}  // namespace pqw
