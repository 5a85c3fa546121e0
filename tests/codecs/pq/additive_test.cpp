// Additive codebooks: the search of codes, learning, decoding, products and records.
#include "codecs/pq/train/additive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstring>

#include "codecs/pq/value/additive.h"
#include "pqw/codecs/encode.h"
#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/distortion.h"
#include "pqw/core/error.h"
#include "tests/codecs/bad_record.h"
#include "tests/support/errors.h"
#include "tests/support/random_pq_weight.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;
using test::section;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

PqOptions two_codebooks(std::size_t block_size, std::size_t n_centroids) {
  PqOptions options;
  options.block_size = block_size;
  options.n_centroids = n_centroids;
  options.n_additive = 2;
  options.gain = Gain::kNone;
  return options;
}

std::vector<float> decoded(const PqWeight& weight) {
  std::vector<float> values(weight.rows() * weight.cols());
  PqCodec::decode_rows(weight, 0, {values.data(), weight.rows(), weight.cols()});
  return values;
}

double relative_error(ConstMatrix w, const PqOptions& options) {
  const PqWeight weight = pq_from_float(w, options);
  Distortion distortion;
  distortion.add({w.row(0).data(), w.rows() * w.cols()}, decoded(weight));
  return distortion.relative_error();
}

double squared_distance(const float* x, const AdditiveCodebooks& books, std::size_t n_additive,
                        std::span<const std::size_t> codes, std::size_t d) {
  const std::size_t k = books.values.size() / n_additive / d;
  double sum = 0;
  for (std::size_t j = 0; j < d; ++j) {
    double left = x[j];
    for (std::size_t m = 0; m < n_additive; ++m) left -= books.values[(m * k + codes[m]) * d + j];
    sum += left * left;
  }
  return sum;
}

TEST(SearchCodes, AFullBeamFindsTheNearestSum) {
  constexpr std::size_t kBlocks = 50, kK = 8, kD = 3;
  const std::vector<float> x = test::normal_values(kBlocks * kD, 1);
  AdditiveCodebooks books{test::normal_values(2 * kK * kD, 2),
                          std::vector<std::uint16_t>(2 * kBlocks)};
  const double objective = search_codes({x, kD}, {}, kK, books, 2);
  double expected = 0;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    double least = HUGE_VAL;
    for (std::size_t pair = 0; pair < kK * kK; ++pair) {
      const std::size_t codes[] = {pair / kK, pair % kK};
      least = std::min(least, squared_distance(&x[i * kD], books, 2, codes, kD));
    }
    const std::size_t found[] = {books.codes[i], books.codes[kBlocks + i]};
    EXPECT_NEAR(squared_distance(&x[i * kD], books, 2, found, kD), least, 1e-5) << i;
    expected += least;
  }
  EXPECT_NEAR(objective, expected, 1e-4 * expected);
}

TEST(SearchCodes, KeepsCodesThatABeamOfOneMisses) {
  // 0.9 is nearer to 1 than to 0, but 0 + 0.9 is the nearest sum.
  const std::vector<float> x{0.9f};
  AdditiveCodebooks books{{0, 1, 0.5f, 0.9f}, {1, 0}};
  search_codes({x, 1}, {}, 1, books, 2);
  EXPECT_THAT(books.codes, ElementsAre(1, 0)) << "1 + 0.5";
  books.codes = {0, 1};
  EXPECT_NEAR(search_codes({x, 1}, {}, 1, books, 2), 0, 1e-6);
  EXPECT_THAT(books.codes, ElementsAre(0, 1));
  books.codes = {0, 0};
  EXPECT_NEAR(search_codes({x, 1}, {}, 2, books, 2), 0, 1e-6);
}

TEST(TrainAdditive, FindsSumsExactly) {
  // All sums of one of {0, 10} and one of {0, 1}: four values from two pairs of centroids.
  std::vector<float> w;
  for (int i = 0; i < 64; ++i) w.push_back(static_cast<float>(i % 2 * 10 + i / 2 % 2));
  const PqWeight weight = pq_from_float({w.data(), 8, 8}, two_codebooks(1, 2));
  EXPECT_THAT(decoded(weight), ElementsAreArray(w));
}

TEST(TrainAdditive, TheObjectiveFallsAndTheCodesReachIt) {
  const std::vector<float> w = test::normal_values(64 * 64, 3);
  const BlockSpan blocks{w, 8};
  PqOptions options = two_codebooks(8, 16);
  constexpr std::size_t kRounds = 10;
  options.iterations = 4 * kRounds;
  options.restarts = 1;
  options.tolerance = 0;
  std::vector<double> objectives;
  AdditiveCodebooks books = train_additive(
      blocks, {}, options, DType::kF32,
      [&](const EmIteration& iteration) { objectives.push_back(iteration.objective); });
  ASSERT_GT(objectives.size(), kRounds);
  for (std::size_t i = objectives.size() - kRounds + 1; i < objectives.size(); ++i) {
    EXPECT_LE(objectives[i], objectives[i - 1] * (1 + 1e-6)) << i;
  }
  double error = 0;
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    const std::size_t codes[] = {books.codes[i], books.codes[blocks.count() + i]};
    error += squared_distance(blocks[i], books, 2, codes, 8);
  }
  EXPECT_LE(error, objectives.back() * (1 + 1e-6));
}

TEST(TrainAdditive, BeatsOneCodebookOfHalfTheBlockSize) {
  const std::vector<float> w = test::normal_values(512 * 64, 4);
  const ConstMatrix matrix{w.data(), 512, 64};
  PqOptions single = two_codebooks(4, 32);
  single.n_additive = 1;
  EXPECT_LT(relative_error(matrix, two_codebooks(8, 32)), 0.97 * relative_error(matrix, single));
}

TEST(TrainAdditive, DoesNotDependOnTheThreads) {
  const std::vector<float> w = test::normal_values(256 * 64, 5);
  PqOptions options = two_codebooks(8, 64);
  options.row_scales = RowScales::kLog8;
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const PqWeight one = pq_from_float({w.data(), 256, 64}, options);
  omp_set_num_threads(3);
  const PqWeight three = pq_from_float({w.data(), 256, 64}, options);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.codebooks, three.codebooks);
  EXPECT_EQ(one.codes, three.codes);
}

TEST(TrainAdditive, HugeAndTinyWeightsStayFinite) {
  for (const float scale : {3e38f, 1e-40f}) {
    std::vector<float> w = test::normal_values(32 * 16, 6);
    for (float& value : w) value = std::clamp(value, -1.0f, 1.0f) * scale;
    const PqWeight weight = pq_from_float({w.data(), 32, 16}, two_codebooks(4, 8));
    for (const float value : decoded(weight)) ASSERT_TRUE(std::isfinite(value));
    EXPECT_NO_THROW(weight_from_record(to_record(weight, "w")));
  }
}

TEST(TrainAdditive, RefusesFaissAndImportancesOfColumns) {
  const std::vector<float> w = test::normal_values(64, 7), importances(8, 1.0f);
  PqOptions options = two_codebooks(4, 4);
  const PqImportance importance{{}, importances};
  const EncodeContext context{nullptr, &importance};
  const auto message = [&](const EncodeContext& with) {
    return std::string(test::error_of([&] {
                         (void)pq_from_float({w.data(), 8, 8}, options, with);
                       }).what());
  };
  EXPECT_THAT(message(context), HasSubstr("does not support importances of columns"));
  options.engine = Engine::kFaiss;
  EXPECT_THAT(message({}), HasSubstr("engine=faiss does not support additive"));
}

TEST(AdditiveWeight, DecodesSumsInEveryGroup) {
  for (const bool scaled : {false, true}) {
    PqWeight weight = test::random_pq_weight({5, 30}, 4, 7, 3, 3);
    if (scaled) weight = test::with_row_scales(weight);
    const std::vector<float> values = decoded(weight);
    const PqWeight wide = side_by_side(weight);
    EXPECT_EQ(wide.cols(), 3u * 8 * 4);
    const std::vector<float> parts = decoded(wide);
    for (std::size_t r = 0; r < 5; ++r) {
      for (std::size_t c = 0; c < 30; ++c) {
        const float* row = &parts[r * wide.cols()];
        EXPECT_EQ(values[r * 30 + c], static_cast<float>(test::element(weight, r, c)));
        const float sum = row[c] + row[32 + c] + row[64 + c];
        EXPECT_EQ(values[r * 30 + c], scaled ? sum * weight.row_scales[r] : sum);
      }
    }
  }
}

TEST(AdditiveWeight, ProductsKeepTheirBounds) {
  constexpr std::size_t kRows = 200, kCols = 250, kBatch = 5;
  const PqWeight weight =
      test::with_row_scales(test::random_pq_weight({kRows, kCols}, 8, 256, 2, 2));
  const std::vector<float> w = decoded(weight), x = test::normal_values(kBatch * kCols, 8);
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    for (const ServeMethod method : {ServeMethod::kAuto, ServeMethod::kLookup,
                                     ServeMethod::kBatchLookup, ServeMethod::kDecode}) {
      const auto product = make_product(weight, {precision, method});
      std::vector<float> y(kBatch * kRows);
      product->multiply_rows(0, {x.data(), kBatch, kCols}, {y.data(), kBatch, kRows});
      double error = 0, unit = 0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        double sum = 0;
        for (std::size_t c = 0; c < kCols; ++c) {
          const double term = double{x[i / kRows * kCols + c]} * w[i % kRows * kCols + c];
          sum += term;
          unit += term * term;
        }
        error += (y[i] - sum) * (y[i] - sum);
      }
      EXPECT_LE(std::sqrt(error / unit), documented_error(precision))
          << to_string(precision) << " " << to_string(method);
    }
  }
}

TEST(AdditiveWeight, ProductsDecodeRowsToTheBit) {
  const PqWeight weight = test::with_row_scales(test::random_pq_weight({70, 30}, 4, 16, 1, 2));
  const std::vector<float> w = decoded(weight);
  for (const ServeLayout layout : {ServeLayout::kProducts, ServeLayout::kRows}) {
    const auto product = make_product(weight, {.layout = layout});
    for (std::size_t r = 0; r < 70; ++r) {
      std::vector<float> row(30);
      product->decode_row(r, row);
      EXPECT_THAT(row, ElementsAreArray(std::span(w).subspan(r * 30, 30))) << r;
    }
  }
}

TEST(AdditiveRecord, ComesBack) {
  PqWeight weight = test::random_pq_weight({6, 9}, 4, 5, 1, 2);
  weight.codebook_dtype = DType::kF32;
  Record record = to_record(weight, "w");
  EXPECT_THAT(record.features, ElementsAre("additive"));
  EXPECT_THAT(section(record, "codebooks").shape, ElementsAre(2, 1, 5, 4));
  const PqWeight read = std::get<PqWeight>(weight_from_record(record));
  EXPECT_EQ(read.n_additive, 2u);
  EXPECT_EQ(read.codes, weight.codes);
  EXPECT_EQ(decoded(read), decoded(weight));
}

class AdditiveBadRecord : public testing::TestWithParam<BadRecord> {};

TEST_P(AdditiveBadRecord, IsRefused) {
  PqWeight weight = test::random_pq_weight({6, 9}, 4, 5, 1, 2);
  weight.codebook_dtype = DType::kF32;
  test::expect_refused(to_record(weight, "fc"), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    All, AdditiveBadRecord,
    testing::Values(BadRecord{"without the feature", kCorrupt, "shape [2, 1, 5, 4]",
                              [](Record& r) { r.features.clear(); }},
                    BadRecord{"one codebook", kCorrupt,
                              "shape [1, 2, 5, 4], expected [2..4, groups",
                              [](Record& r) {
                                section(r, "codebooks").shape = {1, 2, 5, 4};
                              }},
                    BadRecord{"rank 3", kCorrupt, "shape [2, 5, 4]",
                              [](Record& r) {
                                section(r, "codebooks").shape = {2, 5, 4};
                              }},
                    BadRecord{"too many codebooks", kCorrupt, "shape [5, 1, 2, 4]",
                              [](Record& r) {
                                section(r, "codebooks").shape = {5, 1, 2, 4};
                              }},
                    BadRecord{"few codes", kCorrupt, "bytes of codes",
                              [](Record& r) {
                                section(r, "codes").bytes.resize(7);
                                section(r, "codes").shape = {7};
                              }},
                    BadRecord{"infinite sums", kCorrupt, "beyond the range of float",
                              [](Record& r) {
                                auto& bytes = section(r, "codebooks").bytes;
                                const float most = 3e38f;
                                std::memcpy(bytes.data(), &most, 4);
                                std::memcpy(bytes.data() + bytes.size() / 2, &most, 4);
                              }}),
    test::name_of);

}  // namespace
}  // namespace pqw
