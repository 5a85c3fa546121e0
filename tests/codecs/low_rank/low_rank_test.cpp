// Low-rank weights: the factors against what the singular values say, products against the decoded
// weight.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "codecs/low_rank/train/truncated_svd.h"
#include "pqw/codecs/encode.h"
#include "pqw/codecs/product.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using testing::HasSubstr;

FloatTensor tensor_of(Shape shape, std::vector<float> values) {
  return {{"w", DType::kF32, std::move(shape)}, std::move(values)};
}

FloatTensor normal_tensor(Shape shape, unsigned seed) {
  const std::size_t n = element_count(shape);
  return tensor_of(std::move(shape), test::normal_values(n, seed));
}

// 4 x 5 with the singular values 4, 3, 2, 1: a permuted diagonal with signs.
FloatTensor known() {
  std::vector<float> w(20);
  w[0 * 5 + 3] = 2;
  w[1 * 5 + 0] = -4;
  w[2 * 5 + 4] = 1;
  w[3 * 5 + 1] = 3;
  return tensor_of({4, 5}, w);
}

double squared_error(const FloatTensor& original, const Weight& weight) {
  return test::squared_distance(original.values.data(), test::decoded(weight).data(),
                                original.values.size());
}

const LowRankWeight& low_rank(const Weight& weight) { return std::get<LowRankWeight>(weight); }

TEST(LowRank, KeepsTheLargestSingularValues) {
  const Weight weight = Encoding(known(), LowRankOptions{.rank = 2}).encode();
  EXPECT_NEAR(squared_error(known(), weight), 2 * 2 + 1 * 1, 1e-5);
  std::vector<float> expected(20);
  expected[1 * 5 + 0] = -4;
  expected[3 * 5 + 1] = 3;
  for (std::size_t i = 0; i < 20; ++i)
    EXPECT_NEAR(test::decoded(weight)[i], expected[i], 1e-6) << i;
  EXPECT_THAT(low_rank(weight).options, HasSubstr("kept_squares=0.8333,kept_values=0.7000"));
}

// Of the squares 30, the largest two values keep 25.
TEST(LowRank, AGainMultipliesTheProductByHand) {
  const std::pair<Gain, double> gains[] = {{Gain::kNone, 1},
                                           {Gain::kUnbiased, 1.2},
                                           {Gain::kEnergy, std::sqrt(1.2)},
                                           {Gain::kLeastSquares, 1}};
  for (const auto& [gain, factor] : gains) {
    const Weight weight = Encoding(known(), LowRankOptions{.rank = 2, .gain = gain}).encode();
    EXPECT_NEAR(test::decoded(weight)[1 * 5 + 0], -4 * factor, 1e-5);
    EXPECT_NEAR(test::decoded(weight)[3 * 5 + 1], 3 * factor, 1e-5);
  }
  const Weight weight =
      Encoding(known(), LowRankOptions{.rank = 2, .gain = Gain::kUnbiased}).encode();
  EXPECT_THAT(low_rank(weight).options,
              HasSubstr("gain=unbiased,kept_squares=0.8333,kept_values=0.7000,"
                        "gain_factor=1.2000,gain_limit=none"));
}

TEST(LowRank, BothFactorsAreScaledByTheRootsOfTheSingularValues) {
  const Weight weight = Encoding(known(), LowRankOptions{.rank = 2}).encode();
  const std::vector<float> outer = test::decoded(*low_rank(weight).outer);
  const std::vector<float> inner = test::decoded(*low_rank(weight).inner);
  const double expected[] = {4, 3};  // of the squares of the columns and rows
  for (std::size_t k = 0; k < 2; ++k) {
    double column = 0, row = 0;
    for (std::size_t r = 0; r < 4; ++r) column += std::pow(outer[r * 2 + k], 2);
    for (std::size_t c = 0; c < 5; ++c) row += std::pow(inner[k * 5 + c], 2);
    EXPECT_NEAR(column, expected[k], 1e-5);
    EXPECT_NEAR(row, expected[k], 1e-5);
  }
}

TEST(LowRank, TheRankFollowsFromARatioOrAnEnergy) {
  const auto rank = [](const LowRankOptions& options) {
    return low_rank(Encoding(known(), options).encode()).rank();
  };
  EXPECT_EQ(rank({.dim_ratio = 0.5}), 2u);
  EXPECT_EQ(rank({.dim_ratio = 0.01}), 1u);
  EXPECT_EQ(rank({.dim_ratio = 1}), 4u);
  EXPECT_EQ(rank({.rank = 100}), 4u) << "the smaller side";
  // Shares of the squares 16, 25, 29, 30 of 30; of the values 4, 7, 9, 10 of 10.
  EXPECT_EQ(rank({.energy = 0.53}), 1u);
  EXPECT_EQ(rank({.energy = 0.54}), 2u);
  EXPECT_EQ(rank({.energy = 0.9}), 3u);
  EXPECT_EQ(rank({.energy = 0.39, .energy_of = LowRankEnergy::kValues}), 1u);
  EXPECT_EQ(rank({.energy = 0.41, .energy_of = LowRankEnergy::kValues}), 2u);
  EXPECT_EQ(rank({.energy = 1}), 4u);
}

TEST(LowRank, MatricesOfThatRankComeBack) {
  for (const Shape& shape : {Shape{30, 70}, Shape{70, 30}, Shape{1, 9}, Shape{9, 1}}) {
    const std::size_t rank = std::min<std::size_t>(3, std::min(shape[0], shape[1]));
    const auto u = test::normal_values(shape[0] * rank, 1),
               v = test::normal_values(rank * shape[1], 2);
    std::vector<float> w(shape[0] * shape[1]);
    double norm = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      for (std::size_t k = 0; k < rank; ++k) {
        w[i] += u[i / shape[1] * rank + k] * v[k * shape[1] + i % shape[1]];
      }
      norm += w[i] * w[i];
    }
    for (const SvdMethod method : {SvdMethod::kFull, SvdMethod::kRandomized}) {
      const FloatTensor tensor = tensor_of(shape, w);
      EXPECT_LT(squared_error(
                    tensor, Encoding(tensor, LowRankOptions{.rank = rank, .svd = method}).encode()),
                1e-11 * norm);
    }
  }
}

TEST(LowRank, ZerosAndTinyAndHugeWeightsAreFine) {
  for (const float scale : {0.0f, 1e-30f, 1e30f}) {
    FloatTensor tensor = normal_tensor({40, 64}, 3);
    for (float& value : tensor.values) value *= scale;
    for (const SvdMethod method : {SvdMethod::kFull, SvdMethod::kRandomized}) {
      const Weight weight = Encoding(tensor, LowRankOptions{.rank = 40, .svd = method}).encode();
      const std::vector<float> back = test::decoded(weight);
      for (std::size_t i = 0; i < back.size(); ++i) {
        ASSERT_NEAR(back[i], tensor.values[i], 1e-4 * scale);
      }
    }
  }
}

LowRankWeight of_factors(std::vector<float> outer, std::vector<float> inner, std::size_t rank) {
  const auto plain = [](std::size_t rows, const std::vector<float>& values) {
    PlainWeight weight{{{rows, values.size() / rows}, DType::kF32}, {}};
    weight.bytes.resize(values.size() * sizeof(float));
    from_float(values, DType::kF32, weight.bytes);
    return std::make_shared<const Weight>(std::move(weight));
  };
  LowRankWeight weight;
  weight.shape = {outer.size() / rank, inner.size() / rank};
  weight.outer = plain(weight.shape[0], outer);
  weight.inner = plain(rank, inner);
  return weight;
}

TEST(LowRank, SumsThatLeaveTheRangeOfFloatOnTheWayDecode) {
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(test::decoded(of_factors({1, 1, 1}, {3e38f, 3e38f, -3e38f}, 3)),
              testing::ElementsAre(3e38f));
  EXPECT_THAT(test::decoded(of_factors({1, 1, 2, -2}, {3e38f, 3e38f}, 2)),
              testing::ElementsAre(kMax, 0));
  EXPECT_THAT(test::decoded(of_factors({-1e30f}, {1e30f}, 1)), testing::ElementsAre(-kMax));
  // Four quarters, each of which is rounded to 0 as a float.
  EXPECT_THAT(
      test::decoded(of_factors({.25f, .25f, .25f, .25f}, {kLeast, kLeast, kLeast, kLeast}, 4)),
      testing::ElementsAre(kLeast));
}

class RandomizedSvd : public testing::TestWithParam<Shape> {};

TEST_P(RandomizedSvd, IsWithinOnePercentOfTheBest) {
  const Shape shape = GetParam();
  const std::size_t side = std::min(shape[0], shape[1]);
  for (const double decay : {0.0, 0.5, 1.0}) {  // of the columns: normal values, then falling
    FloatTensor tensor = normal_tensor(shape, 5);
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      tensor.values[i] *=
          static_cast<float>(std::pow(1.0 + static_cast<double>(i % shape[1]), -decay));
    }
    for (const std::size_t rank : {std::size_t{1}, side / 16, side / 8}) {
      const double best = squared_error(
          tensor, Encoding(tensor, LowRankOptions{.rank = rank, .svd = SvdMethod::kFull}).encode());
      const double found = squared_error(
          tensor,
          Encoding(tensor, LowRankOptions{.rank = rank, .svd = SvdMethod::kRandomized}).encode());
      EXPECT_GE(found, best * (1 - 1e-6));
      EXPECT_LE(std::sqrt(found), std::sqrt(best) * 1.01) << "rank " << rank << " decay " << decay;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomizedSvd,
                         testing::Values(Shape{128, 128}, Shape{64, 300}, Shape{300, 64},
                                         Shape{96, 10, 3, 3}));

TEST(RandomizedSvd, DoesNotDependOnTheThreads) {
  const FloatTensor tensor = normal_tensor({600, 520}, 6);
  const LowRankOptions options{.rank = 40, .svd = SvdMethod::kRandomized, .seed = 9};
  omp_set_num_threads(1);
  const std::vector<float> one = test::decoded(Encoding(tensor, options).encode());
  for (const int threads : {2, 3}) {
    omp_set_num_threads(threads);
    EXPECT_TRUE(test::decoded(Encoding(tensor, options).encode()) == one) << threads;
  }
  omp_set_num_threads(omp_get_num_procs());
}

// y = x Wᵀ in double from the decoded weight.
void expect_products_of_the_decoded(const Weight& weight, std::size_t batch) {
  const MatrixShape matrix = head_of(weight).matrix();
  const auto w = test::decoded(weight);
  const auto x = test::normal_values(batch * matrix.cols, 7);
  const std::size_t first = matrix.rows / 3;
  std::vector<float> y(batch * matrix.rows), part(batch * (matrix.rows - first));
  const auto product = make_product(weight, {.precision = Precision::kExact});
  product->multiply_rows(0, {x.data(), batch, matrix.cols}, {y.data(), batch, matrix.rows});
  product->multiply_rows(first, {x.data(), batch, matrix.cols},
                         {part.data(), batch, matrix.rows - first});
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t r = 0; r < matrix.rows; ++r) {
      double expected = 0, scale = 0;
      for (std::size_t c = 0; c < matrix.cols; ++c) {
        const double term = static_cast<double>(x[b * matrix.cols + c]) * w[r * matrix.cols + c];
        expected += term;
        scale += std::abs(term);
      }
      ASSERT_NEAR(y[b * matrix.rows + r], expected, 1e-5 * scale + 1e-5);
      if (r < first) continue;
      ASSERT_NEAR(part[b * (matrix.rows - first) + r - first], expected, 1e-5 * scale + 1e-5);
    }
  }
}

TEST(LowRank, MultipliesAsTheDecodedWeightDoes) {
  for (const Shape& shape : {Shape{1, 1}, Shape{7, 33}, Shape{64, 48}, Shape{12, 5, 3, 3}}) {
    for (const std::size_t rank : {1u, 3u, 17u}) {
      for (const CodecOptions& factors :
           {CodecOptions{PlainOptions{}},
            CodecOptions{PqOptions{.block_size = 3, .n_centroids = 8, .iterations = 3}}}) {
        const Weight weight =
            Encoding(normal_tensor(shape, 8), LowRankOptions{.rank = rank, .factors = factors})
                .encode();
        for (const std::size_t batch : {1u, 2u, 33u}) expect_products_of_the_decoded(weight, batch);
      }
    }
  }
}

TEST(LowRank, FactorsAreOfTheTypeOfTheOriginalButNoWiderThanFloat) {
  FloatTensor tensor = normal_tensor({16, 16}, 1);
  for (const auto& [original, expected] :
       {std::pair{DType::kF16, DType::kF16}, std::pair{DType::kBF16, DType::kBF16},
        std::pair{DType::kF32, DType::kF32}, std::pair{DType::kF64, DType::kF32}}) {
    tensor.info.dtype = original;
    const Weight weight = Encoding(tensor, LowRankOptions{.rank = 2}).encode();
    EXPECT_EQ(std::get<PlainWeight>(*low_rank(weight).outer).dtype, expected);
    EXPECT_EQ(data_bytes(to_record(weight, "w")), 2 * 32 * size_in_bytes(expected));
  }
}

TEST(LowRank, TheOuterFactorIsFittedToTheInnerOneAsEncoded) {
  const FloatTensor tensor = normal_tensor({96, 80}, 4);
  const PqOptions pq{.block_size = 4, .n_centroids = 16};
  const LowRankOptions plain{.rank = 24}, quantized{.rank = 24, .factors = CodecOptions{pq}};
  const Weight fitted = Encoding(tensor, quantized).encode();
  // The factors of the decomposition, quantized each for itself.
  const LowRankWeight factors = low_rank(Encoding(tensor, plain).encode());
  LowRankWeight apart = factors;
  apart.outer = std::make_shared<const Weight>(
      Encoding(tensor_of({96, 24}, test::decoded(*factors.outer)), pq).encode());
  apart.inner = std::make_shared<const Weight>(
      Encoding(tensor_of({24, 80}, test::decoded(*factors.inner)), pq).encode());
  EXPECT_LT(squared_error(tensor, fitted), 0.99 * squared_error(tensor, Weight(apart)));
  EXPECT_EQ(test::decoded(*low_rank(fitted).inner), test::decoded(*apart.inner));
}

TEST(LowRank, ZerosArePlaceholdersOfTheRightShape) {
  const Weight weight =
      Encoding(normal_tensor({20, 30}, 1), LowRankOptions{.rank = 4, .init = LowRankInit::kZeros})
          .encode();
  EXPECT_EQ(head_of(*low_rank(weight).outer).shape, (Shape{20, 4}));
  EXPECT_EQ(head_of(*low_rank(weight).inner).shape, (Shape{4, 30}));
  EXPECT_EQ(test::decoded(weight), std::vector<float>(600));
  EXPECT_EQ(remarks_on(weight, LowRankOptions{.init = LowRankInit::kZeros}),
            "init=zeros: factors of zeros, to be trained");
}

TEST(LowRank, CountsTheParametersOfItsFactors) {
  const Weight weight = Encoding(normal_tensor({40, 64}, 3),
                                 LowRankOptions{.rank = 8, .factors = CodecOptions{PqOptions{}}})
                            .encode();
  EXPECT_EQ(parameter_count(weight), 8u * (40 + 64));
  // 2 * 40 and 16 * 8 blocks of 4, all different.
  EXPECT_EQ(summary(weight),
            "rank=8,outer.codec=pq,outer.block_size=4,outer.centroids=80,"
            "inner.codec=pq,inner.block_size=4,inner.centroids=128");
}

TEST(LowRankOptions, AreSetByNameAndTheLastRankCounts) {
  const auto options = [](const Settings& settings) {
    return std::get<LowRankOptions>(options_from(settings, "low_rank"));
  };
  EXPECT_EQ(options({{"rank", "64"}}).rank, 64u);
  EXPECT_EQ(options({{"rank", "64"}, {"dim_ratio", "0.5"}}).rank, 0u);
  EXPECT_EQ(options({{"dim_ratio", "0.5"}, {"energy", "0.9"}}).energy, 0.9);
  EXPECT_EQ(options({{"energy", "0.9"}, {"rank", "3"}}).energy, 0);
  EXPECT_EQ(options({{"init", "zeros"}}).init, LowRankInit::kZeros);
  const auto nested = options({{"factors.block_size", "4"}, {"factors.codec", "pq"}});
  EXPECT_EQ(std::get<PqOptions>(*nested.factors).block_size, 4u);
}

TEST(LowRankOptions, MistakesAreRefused) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"rank", "0"},
                                                        {"rank", "-1"},
                                                        {"rank", "1.5"},
                                                        {"dim_ratio", "0"},
                                                        {"dim_ratio", "1.1"},
                                                        {"energy", "0"},
                                                        {"energy", "nan"},
                                                        {"energy_of", "roots"},
                                                        {"init", "random"},
                                                        {"svd", "fast"},
                                                        {"seed", "x"},
                                                        {"block_size", "4"},
                                                        {"factors.rank", "2"},
                                                        {"factors.codec", "zip"}}) {
    EXPECT_THROW((void)options_from({{"codec", "low_rank"}, {key, value}}), Error) << key;
  }
}

TEST(LowRankOptions, FactorsAsLargeAsTheMatrixAreNoGain) {
  // 8 * (16 + 16) = 16 * 16.
  EXPECT_NE(obstacle_to(CodecOptions{LowRankOptions{.rank = 8}}, Shape{16, 16}), "");
  EXPECT_EQ(obstacle_to(CodecOptions{LowRankOptions{.rank = 7}}, Shape{16, 16}), "");
  EXPECT_NE(obstacle_to(CodecOptions{LowRankOptions{.rank = 8}}, Shape{16, 4, 2, 2}), "");
  EXPECT_EQ(obstacle_to(CodecOptions{PqOptions{}}, Shape{16, 16}), "") << "has none of its own";
  const Weight plain = Encoding(normal_tensor({4, 4}, 1), PlainOptions{}).encode();
  EXPECT_EQ(remarks_on(plain, PlainOptions{}), "");
}

TEST(LowRankRecord, ComesBackWithFactorsOfAnyCodec) {
  const PqOptions pq{.block_size = 4, .n_centroids = 8, .iterations = 2};
  const LowRankOptions inside{.rank = 2, .factors = CodecOptions{pq}};
  for (const CodecOptions& factors :
       {CodecOptions{PlainOptions{}}, CodecOptions{pq}, CodecOptions{inside}}) {
    const Weight weight =
        Encoding(normal_tensor({12, 4, 3}, 2), LowRankOptions{.rank = 5, .factors = factors})
            .encode();
    const Weight back = weight_from_record(to_record(weight, "fc"));
    EXPECT_EQ(head_of(back).shape, head_of(weight).shape);
    EXPECT_EQ(test::decoded(back), test::decoded(weight));
    EXPECT_EQ(low_rank(back).options, low_rank(weight).options);
    EXPECT_EQ(summary(back), summary(weight));
  }
}

TEST(LowRankRecord, NonsenseIsRefused) {
  const Weight plain = Encoding(normal_tensor({12, 10}, 2), LowRankOptions{.rank = 5}).encode();
  const Weight quantized = Encoding(normal_tensor({12, 10}, 2),
                                    LowRankOptions{.rank = 5, .factors = CodecOptions{PqOptions{}}})
                               .encode();
  const std::vector<std::pair<const Weight*, std::function<void(Record&)>>> cases = {
      {&plain, [](Record& r) { r.sections.pop_back(); }},
      {&plain,
       [](Record& r) {
         r.info.shape = {13, 10};
       }},
      {&plain,
       [](Record& r) {
         r.info.shape = {12, 11};
       }},
      {&plain, [](Record& r) { r.info.shape = {120}; }},
      {&plain, [](Record& r) { r.features = {"row_scales"}; }},
      {&plain, [](Record& r) { r.sections[0].bytes.pop_back(); }},
      {&plain,
       [](Record& r) {
         r.sections[0].bytes[3] = std::byte{0x7f}, r.sections[0].bytes[2] = std::byte{0xff};
       }},
      {&plain, [](Record& r) { r.sections[0].dtype = DType::kI32; }},
      {&plain, [](Record& r) { r.sections[1].shape = {50}; }},
      {&quantized, [](Record& r) { r.parts.pop_back(); }},
      {&quantized,
       [](Record& r) {
         r.parts[0].info.shape = {5, 12};
       }},
      {&quantized, [](Record& r) { r.parts[0].codec = "zip"; }},
      {&quantized, [](Record& r) { r.parts[1].sections.pop_back(); }},
      {&quantized, [](Record& r) { r.parts[1].info.dtype = DType::kI8; }},
      {&quantized, [](Record& r) {
         r.parts[1].info.layout.axes = {1, 0};
         r.parts[1].features.push_back("transposed");
       }}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Record record = to_record(*cases[i].first, "fc");
    EXPECT_NO_THROW((void)weight_from_record(record));
    cases[i].second(record);
    try {
      (void)weight_from_record(record);
      ADD_FAILURE() << "accepted case " << i;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("'fc'")) << i;
    }
  }
}

}  // namespace
}  // namespace pqw
