// The gain of product-quantized weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "codecs/pq/train/gain.h"
#include "codecs/train/factor_gain.h"
#include "pqw/codecs/encode.h"
#include "pqw/core/convert.h"
#include "pqw/core/distortion.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

constexpr Gain kGains[] = {Gain::kUnbiased, Gain::kEnergy, Gain::kLeastSquares};

template <class AnyWeight>
Distortion distortion_of(const std::vector<float>& w, const AnyWeight& weight) {
  std::vector<float> v(w.size());
  const MatrixShape matrix = matrix_shape(weight.shape);
  PqCodec::decode_rows(weight, 0, {v.data(), matrix.rows, matrix.cols});
  Distortion distortion;
  distortion.add(w, v);
  return distortion;
}

TEST(GainSums, LeaveOutThePadding) {
  const std::vector<float> w{1, 2, 3};
  const Blocks blocks = cut_blocks(ConstMatrix(w.data(), 1, 3), 2);
  PqWeight weight;
  weight.shape = {1, 3};
  weight.block_size = 2;
  weight.n_centroids = 2;
  weight.codebooks = {1, 1, 2, 5};
  weight.codes = {0, 1};
  GainSums sums = sum_of(gain_sums_of_rows(blocks, weight, {}));  // of (1, 2, 3) and (1, 1, 2)
  EXPECT_EQ(sums.original, 14);
  EXPECT_EQ(sums.product, 9);
  EXPECT_EQ(sums.reconstruction, 6);
  const std::vector<float> rows{2}, columns{1, 0, 3};
  sums = sum_of(gain_sums_of_rows(blocks, weight, {.rows = rows, .columns = columns}));
  EXPECT_EQ(sums.original, 2 * (1 + 27));
  EXPECT_EQ(sums.product, 2 * (1 + 18));
  EXPECT_EQ(sums.reconstruction, 2 * (1 + 12));
}

TEST(GainSums, TakeTheCodebookOfTheGroup) {
  const std::vector<float> w{1, 2, 3, 4, 5, 6};
  const Blocks blocks = cut_blocks(ConstMatrix(w.data(), 2, 3), 1);
  PqWeight weight;
  weight.shape = {2, 3};
  weight.block_size = 1;
  weight.n_groups = 2;  // position 0; positions 1 and 2
  weight.n_centroids = 1;
  weight.codebooks = {10, 100};
  weight.codes.resize(6);
  const GainSums sums = sum_of(gain_sums_of_rows(blocks, weight, {}));
  EXPECT_EQ(sums.product, 10 * (1 + 4) + 100 * (2 + 3 + 5 + 6));
  EXPECT_EQ(sums.reconstruction, 2 * 100 + 4 * 10000);
}

TEST(ChooseGain, ByHand) {
  const GainSums sums{25, 17, 13};  // (3, 4) and (3, 2)
  EXPECT_DOUBLE_EQ(choose_gain(sums, Gain::kUnbiased).factor, 25.0 / 17);
  EXPECT_DOUBLE_EQ(choose_gain(sums, Gain::kEnergy).factor, 5 / std::sqrt(13.0));
  EXPECT_DOUBLE_EQ(choose_gain(sums, Gain::kLeastSquares).factor, 17.0 / 13);
  for (const Gain gain : kGains) EXPECT_EQ(choose_gain(sums, gain).limit, GainLimit::kNone);
  EXPECT_DOUBLE_EQ(error_of(sums, 1), 4.0 / 25);
  EXPECT_DOUBLE_EQ(error_of(sums, 2), (9 + 0) / 25.0);  // (6, 4) - (3, 4)
}

// Means: <w,ŵ> = ‖ŵ‖² = (1 - e) ‖w‖².
GainSums means(double error) { return {1, 1 - error, 1 - error}; }

TEST(ChooseGain, LimitsWhatWouldLoseMoreThanItKeeps) {
  const double root = std::sqrt(0.4);
  EXPECT_DOUBLE_EQ(choose_gain(means(0.49), Gain::kUnbiased).factor, 1 / 0.51);
  // Unbiased leaves 0.6 / 0.4, energy 2 - 2 √0.4 = 0.735.
  EXPECT_DOUBLE_EQ(choose_gain(means(0.6), Gain::kUnbiased).factor, 1 / root);
  EXPECT_EQ(choose_gain(means(0.6), Gain::kUnbiased).limit, GainLimit::kLoss);
  EXPECT_EQ(choose_gain(means(0.6), Gain::kEnergy).limit, GainLimit::kNone);
  // Energy leaves 2 - 2 √0.2 = 1.106, least squares 0.8.
  for (const Gain gain : {Gain::kUnbiased, Gain::kEnergy}) {
    EXPECT_DOUBLE_EQ(choose_gain(means(0.8), gain).factor, 1);
    EXPECT_EQ(choose_gain(means(0.8), gain).limit, GainLimit::kLoss);
  }
  EXPECT_EQ(choose_gain(means(0.8), Gain::kLeastSquares).limit, GainLimit::kNone);
  EXPECT_EQ(choose_gain(means(0.999), Gain::kLeastSquares).limit, GainLimit::kNone);
}

TEST(ChooseGain, IsFiniteAndAboveZero) {
  for (const Gain gain : kGains) {
    EXPECT_EQ(choose_gain({0, 0, 0}, gain).factor, 1) << "all zeros";
    EXPECT_EQ(choose_gain({0, 0, 0}, gain).limit, GainLimit::kNone);
    for (const GainSums& lost : {GainSums{1, 0, 0}, GainSums{1, 0, 3}, GainSums{1, -1, 3}}) {
      EXPECT_EQ(choose_gain(lost, gain).factor, 1);
      EXPECT_EQ(choose_gain(lost, gain).limit, GainLimit::kLoss);
    }
    for (double error = 0; error < 1; error += 1.0 / 64) {
      const AppliedGain choice = choose_gain(means(error), gain);
      EXPECT_GE(choice.factor, 1 - 1e-12);
      EXPECT_LT(choice.factor, kMostGainOfMeans);
      EXPECT_LT(error_of(means(error), choice.factor), 1);
    }
  }
}

TEST(ChooseGain, NoneIsOneUnlessTheTypeIsTooSmall) {
  EXPECT_EQ(choose_gain(means(0.2), Gain::kNone).factor, 1);
  EXPECT_EQ(choose_gain({1, -1, 3}, Gain::kNone).limit, GainLimit::kNone);
  EXPECT_EQ(choose_gain(means(0.2), Gain::kNone, 0.5).factor, 0.5);
  EXPECT_EQ(choose_gain(means(0.2), Gain::kNone, 0.5).limit, GainLimit::kRange);
}

TEST(ChooseGain, IsAtMostWhatItIsTold) {
  const AppliedGain choice = choose_gain(means(0.2), Gain::kUnbiased, 1.125);
  EXPECT_EQ(choice.factor, 1.125);
  EXPECT_EQ(choice.limit, GainLimit::kRange);
  // Of what is short and points the right way, and so is not made of means.
  EXPECT_EQ(choose_gain({9, 3, 1.05}, Gain::kUnbiased, 100).factor, 3);
  EXPECT_EQ(choose_gain({100, 1, 0.0105}, Gain::kUnbiased, 100).factor, kMostGain);
}

TEST(GainText, HasOneLength) {
  const std::string none = gain_text({}), loss = gain_text({1.31249, GainLimit::kLoss});
  EXPECT_EQ(none, ",gain_factor=1.0000,gain_limit=none");
  EXPECT_EQ(loss, ",gain_factor=1.3125,gain_limit=loss");
  EXPECT_EQ(gain_text({1e-30, GainLimit::kRange}), ",gain_factor=0.0000,gain_limit=type");
  EXPECT_EQ(remark_on_gain({}), "");
  EXPECT_EQ(remark_on_gain({1.3125, GainLimit::kLoss}),
            "gain limited to 1.3125: a larger one would give a relative error of 1 or more");
  EXPECT_EQ(remark_on_gain({1, GainLimit::kRange}),
            "gain limited to 1.0000: a larger one would exceed the range of the type");
}

TEST(PqGain, MultipliesTheCodebookByHand) {
  // Means 2 and -3: ŵ is (2, 2, -3, -3), <w,ŵ> = ‖ŵ‖² = 26, ‖w‖² = 30.
  const std::vector<float> w{1, 3, -2, -4};
  const auto codebook = [&](Gain gain, DType dtype) {
    PqWeight weight =
        pq_from_float(ConstMatrix(w.data(), 1, 4),
                      {.block_size = 1, .n_centroids = 2, .codebook_dtype = dtype, .gain = gain});
    EXPECT_EQ(weight.codes[0], weight.codes[1]);
    EXPECT_EQ(weight.codes[2], weight.codes[3]);
    return std::vector<float>{weight.codebooks[weight.codes[0]], weight.codebooks[weight.codes[2]]};
  };
  const auto times = [](double factor) {
    return ElementsAre(static_cast<float>(2 * factor), static_cast<float>(-3 * factor));
  };
  EXPECT_THAT(codebook(Gain::kLeastSquares, DType::kF32), times(1));
  EXPECT_THAT(codebook(Gain::kUnbiased, DType::kF32), times(30.0 / 26));
  EXPECT_THAT(codebook(Gain::kEnergy, DType::kF32), times(std::sqrt(30.0 / 26)));
  // 2.307692 and -3.461538 between multiples of 2^-9.
  EXPECT_THAT(codebook(Gain::kUnbiased, DType::kF16), ElementsAre(2.30859375f, -3.4609375f));
}

TEST(PqGain, ExactWeightsStayExact) {
  const std::vector<float> w{1.5f, -2, 0.25f, 3, 1.5f, -2};
  for (const Gain gain : kGains) {
    const PqWeight weight =
        pq_from_float(ConstMatrix(w.data(), 3, 2), {.block_size = 2, .gain = gain});
    EXPECT_EQ(distortion_of(w, weight).squared_error(), 0);
    EXPECT_THAT(weight.options, EndsWith("gain_factor=1.0000,gain_limit=none"));
  }
}

// Rounding a codebook to F16 moves each value by 2^-11 of it at most, and so <w,ŵ> by that share of
// ‖w‖ ‖ŵ‖, where ‖ŵ‖ is less than 2 ‖w‖; F32 by 2^-24.
TEST(PqGain, UnbiasedHasAmplitudeOneUpToTheRoundingOfTheCodebook) {
  std::size_t n_unbiased = 0, n_limited = 0;
  for (const auto& [rows, cols] : {std::pair(64, 64), std::pair(33, 7), std::pair(100, 13),
                                   std::pair(1, 1000), std::pair(128, 9), std::pair(500, 1)}) {
    const auto n_rows = static_cast<std::size_t>(rows), n_cols = static_cast<std::size_t>(cols);
    const auto w = test::normal_values(n_rows * n_cols, 3, 0, 0.05f);
    for (const std::size_t block_size : {1, 4, 9}) {
      for (const std::size_t n_centroids : {4, 64}) {
        for (const std::size_t n_groups : {1, 3}) {
          for (const DType dtype : {DType::kF16, DType::kF32}) {
            const PqWeight weight =
                pq_from_float(ConstMatrix(w.data(), n_rows, n_cols), {.block_size = block_size,
                                                                      .n_centroids = n_centroids,
                                                                      .n_groups = n_groups,
                                                                      .iterations = 3,
                                                                      .restarts = 1,
                                                                      .codebook_dtype = dtype});
            const Distortion distortion = distortion_of(w, weight);
            const bool limited = weight.options.ends_with("loss");
            ++(limited ? n_limited : n_unbiased);
            EXPECT_LT(distortion.relative_error(), 1) << weight.options;
            const double rounding = dtype == DType::kF16 ? 0x1p-10 : 0x1p-23;
            if (limited) {
              EXPECT_LT(distortion.amplitude(), 1) << weight.options;
            } else {
              EXPECT_NEAR(distortion.amplitude(), 1, rounding) << weight.options;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(n_unbiased, 60u);
  EXPECT_GT(n_limited, 10u);
}

TEST(PqGain, EnergyKeepsTheLengthAndLeastSquaresTheError) {
  const auto w = test::normal_values(64 * 64, 3);
  double errors[3], amplitudes[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const Distortion distortion = distortion_of(
        w, pq_from_float(ConstMatrix(w.data(), 64, 64), {.n_centroids = 64,
                                                         .iterations = 10,
                                                         .restarts = 1,
                                                         .codebook_dtype = DType::kF32,
                                                         .gain = kGains[i]}));
    errors[i] = distortion.relative_error();
    amplitudes[i] = distortion.amplitude();
  }
  EXPECT_NEAR(errors[1], 2 - 2 * amplitudes[1], 1e-6) << "‖ŵ‖ = ‖w‖";
  EXPECT_NEAR(errors[2], 1 - amplitudes[2], 1e-6) << "w - ŵ is at right angles to ŵ";
  EXPECT_NEAR(errors[0], errors[2] / (1 - errors[2]), 1e-6);
}

TEST(PqGain, ALimitIsNoted) {
  const auto w = test::normal_values(64 * 64, 3);
  const PqOptions options{.block_size = 16, .n_centroids = 2};
  const PqWeight weight = pq_from_float(ConstMatrix(w.data(), 64, 64), options);
  EXPECT_THAT(PqCodec::remarks(weight, options), HasSubstr("gain limited to 1.0"));
  const Distortion distortion = distortion_of(w, weight);
  EXPECT_GT(distortion.relative_error(), 0.8) << "the limit has a reason";
  EXPECT_LT(distortion.relative_error(), 1);
}

TEST(PqGain, ThePlanHasTheTypeAndTheLengthOfTheText) {
  auto w = test::normal_values(32 * 32, 3);
  for (const float largest : {1e-30f, 1.0f, 32752.0f, 32753.0f, 60000.0f, 3e38f}) {
    float norm = 0;
    for (const float value : w) norm = std::max(norm, std::abs(value));
    for (float& value : w) value *= largest / norm;
    w[7] = largest;
    PqOptions options{.block_size = 4, .n_centroids = 16};
    PqCodec::resolve(options, Shape{32, 32});
    const PqPrepared prepared =
        prepare_blocks(cut_blocks(ConstMatrix(w.data(), 32, 32), 4), options);
    const PqWeight& plan = prepared.unlearned;
    const PqWeight weight = PqCodec::encode(prepared, options, {});
    EXPECT_EQ(weight.codebook_dtype, plan.codebook_dtype) << largest;
    EXPECT_EQ(weight.options.size(), plan.options.size()) << largest;
    EXPECT_EQ(weight.codebook_dtype == DType::kF16, largest == 1 || largest == 32752) << largest;
  }
}

TEST(PqGain, ReachesWeightsAtTheEndsOfFloat) {
  const auto normal = test::normal_values(64 * 64, 3);
  for (const float sigma : {1e-36f, 1e-20f, 1e20f, 5e37f}) {
    std::vector<float> w = normal;
    for (float& value : w) value *= sigma;
    const PqWeight weight = pq_from_float(ConstMatrix(w.data(), 64, 64),
                                          {.n_centroids = 64, .iterations = 5, .restarts = 1});
    EXPECT_EQ(weight.codebook_dtype, DType::kF32);
    EXPECT_NEAR(distortion_of(w, weight).amplitude(), 1, 1e-5) << sigma;
  }
}

// Values next to the limit of a type leave no room for a gain.
TEST(PqGain, DoesNotLeaveTheRangeOfTheType) {
  const auto normal = test::normal_values(64 * 64, 3);
  const std::pair<DType, float> limits[] = {{DType::kF16, 65504.0f},
                                            {DType::kBF16, 0x1.fep127f},
                                            {DType::kF32, std::numeric_limits<float>::max()}};
  for (const auto& [dtype, largest] : limits) {
    for (const std::size_t iterations : {1, 20}) {  // 1: centroids overshoot
      FloatTensor tensor{{"w", dtype, {64, 64}}, normal};
      for (float& value : tensor.values) value = std::copysign(largest, value);
      for (std::size_t i = 0; i < 4096; i += 3) tensor.values[i] = normal[i] * (largest / 8);
      const PqOptions options{.n_centroids = 16, .iterations = iterations, .restarts = 1};
      const Weight weight = Encoding(tensor, options).encode();
      std::vector<float> values(4096);
      decode_rows(weight, 0, {values.data(), 64, 64});
      std::vector<std::byte> bytes(4096 * size_in_bytes(dtype));
      from_float(values, dtype, bytes);
      to_float(bytes, dtype, values);
      for (const float value : values) ASSERT_TRUE(std::isfinite(value)) << to_string(dtype);
      const bool saturates = dtype == DType::kF16;  // the decoded values, and not the gain
      EXPECT_EQ(remarks_on(weight, options).find("the range of the type") == std::string::npos,
                saturates);
    }
  }
}

// The row scale of row 0 is the largest, and row 1 has the largest block after scaling: 8 times its
// root mean square. No row has both, so no row needs a smaller gain.
TEST(PqGain, RowsNextToTheLimitOfTheirTypeKeepTheirAmplitude) {
  FloatTensor tensor{{"w", DType::kF16, {64, 64}}, test::normal_values(64 * 64, 3)};
  for (std::size_t i = 0; i < 4096; ++i) {
    float& value = tensor.values[i];
    value = i < 64 ? std::copysign(60000.0f, value) : 100 * value;
  }
  tensor.values[70] = 40000;
  const PqOptions options{.block_size = 2,
                          .n_centroids = 64,
                          .gain_per = GainPer::kRow,
                          .row_scales = RowScales::kLog8};
  const Weight weight = Encoding(tensor, options).encode();
  std::vector<float> v(4096);
  decode_rows(weight, 0, {v.data(), 64, 64});
  std::vector<std::byte> bytes(v.size() * size_in_bytes(DType::kF16));
  from_float(v, DType::kF16, bytes);
  to_float(bytes, DType::kF16, v);
  Distortion all, others;
  all.add(std::span<const float>(tensor.values), std::span<const float>(v));
  others.add(std::span<const float>(tensor.values).subspan(128),
             std::span<const float>(v).subspan(128));
  EXPECT_NEAR(all.amplitude(), 1, 0.02);
  EXPECT_NEAR(others.amplitude(), 1, 0.02);
  EXPECT_THAT(remarks_on(weight, options), testing::Not(HasSubstr("gain limited")));
}

TEST(PqGain, IsThatOfTheImportances) {
  const auto w = test::normal_values(64 * 30, 3);
  const ConstMatrix matrix(w.data(), 64, 30);
  std::vector<float> rows(64), columns(30);
  for (std::size_t r = 0; r < rows.size(); ++r) rows[r] = 1 + static_cast<float>(r % 7);
  for (std::size_t c = 0; c < columns.size(); ++c) columns[c] = c % 5 == 0 ? 20.0f : 0.5f;
  const PqImportance importance{.rows = rows, .columns = columns};
  const PqWeight weight = pq_from_float(
      matrix,
      PqOptions{.n_centroids = 64, .iterations = 5, .restarts = 1, .codebook_dtype = DType::kF32},
      {.importance = &importance});
  std::vector<float> v(w.size());
  PqCodec::decode_rows(weight, 0, {v.data(), 64, 30});
  double original = 0, product = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double h = double{rows[i / 30]} * columns[i % 30];
    original += h * w[i] * w[i];
    product += h * w[i] * v[i];
  }
  EXPECT_NEAR(product / original, 1, 1e-5);
}

TEST(PqGain, IsTheSameOnAnyNumberOfThreads) {
  const auto w = test::normal_values(300 * 51, 17);
  const auto codebooks = [&](int threads) {
    omp_set_num_threads(threads);
    const PqWeight weight =
        pq_from_float(ConstMatrix(w.data(), 300, 51), {.n_centroids = 16,
                                                       .n_groups = 2,
                                                       .iterations = 5,
                                                       .restarts = 1,
                                                       .codebook_dtype = DType::kF32});
    omp_set_num_threads(omp_get_num_procs());
    return weight.codebooks;
  };
  const auto expected = codebooks(1);
  for (const int threads : {2, 3, 5}) EXPECT_EQ(codebooks(threads), expected);
}

TEST(FactorGain, OfAProductByHand) {
  EXPECT_EQ(product_gain(means(0.9)), 1);
  EXPECT_EQ(product_gain({4, 2, 3}), 1) << "(4 - 4 + 3) / 4";
  // Twice too long: (1 - 4 + 4), and half of it is right.
  EXPECT_DOUBLE_EQ(product_gain({1, 2, 4}), 0.5);
  // As long as it should be: 1 - 0.2 + 0.64 = 1.44; energy 1 - 0.2 / 0.8 + 1 is 1.75; then 0.1 /
  // 0.64.
  EXPECT_DOUBLE_EQ(product_gain({1, 0.1, 0.64}), 0.1 / 0.64);
  EXPECT_EQ(product_gain({0, 0, 0}), 1);
}

TEST(FactorGain, SumsAreThoseOfAllRows) {
  const std::vector<float> w(130 * 2, 3.0f);
  GainSums sums{1, 1, 1};
  add_product(ConstMatrix(w.data(), 130, 2), sums, [](std::size_t first, MutableMatrix rows) {
    for (std::size_t r = 0; r < rows.rows(); ++r) {
      rows(r, 0) = first + r < 100 ? 1.0f : 2.0f;
      rows(r, 1) = 0;
    }
  });
  EXPECT_EQ(sums.original, 1 + 260 * 9);
  EXPECT_EQ(sums.product, 1 + 3 * (100 + 60));
  EXPECT_EQ(sums.reconstruction, 1 + 100 + 4 * 30);
}

// Quantizing unbiased factors leaves a product as biased as its decomposition made it.
TEST(FactorGain, AmplitudesOfProductsAreThoseOfTheirDecomposition) {
  FloatTensor tensor{{"w", DType::kF32, {96, 80}}, test::normal_values(96 * 80, 5)};
  const CodecOptions pq =
      PqOptions{.block_size = 2, .n_centroids = 64, .iterations = 5, .restarts = 1};
  const auto amplitude = [&](const CodecOptions& options) {
    const Weight weight = Encoding(tensor, options).encode();
    std::vector<float> v(tensor.values.size());
    decode_rows(weight, 0, {v.data(), 96, 80});
    Distortion distortion;
    distortion.add(tensor.values, v);
    return distortion.amplitude();
  };
  const CodecOptions least = PqOptions{.block_size = 2,
                                       .n_centroids = 64,
                                       .iterations = 5,
                                       .restarts = 1,
                                       .gain = Gain::kLeastSquares};
  LowRankOptions low_rank{.rank = 40};
  const double plain = amplitude(low_rank);
  low_rank.factors = pq;
  EXPECT_NEAR(amplitude(low_rank), plain, 0.02 * plain);
  low_rank.factors = least;
  EXPECT_LT(amplitude(low_rank), 0.97 * plain);
  TensorizedOptions train;
  train.rank.fraction = 0.5;
  const double plain_train = amplitude(train);
  train.factors = pq;
  EXPECT_NEAR(amplitude(train), plain_train, 0.03 * plain_train);
  train.factors = least;
  EXPECT_LT(amplitude(train), 0.95 * plain_train);
}

TEST(FactorGain, ProductsOfCoarseFactorsKeepTheirErrorBelowOne) {
  const FloatTensor tensor{{"w", DType::kF32, {96, 80}}, test::normal_values(96 * 80, 5)};
  const CodecOptions pq = PqOptions{.block_size = 8, .n_centroids = 16};
  LowRankOptions low_rank{.rank = 40, .factors = pq};
  TensorizedOptions train;
  train.rank.fraction = 1;
  train.factors = pq;
  TensorizedOptions tucker = train;
  tucker.form = TensorForm::kTucker;
  for (const CodecOptions& options :
       {CodecOptions(low_rank), CodecOptions(train), CodecOptions(tucker)}) {
    const Weight weight = Encoding(tensor, options).encode();
    std::vector<float> v(tensor.values.size());
    decode_rows(weight, 0, {v.data(), 96, 80});
    Distortion distortion;
    distortion.add(tensor.values, v);
    EXPECT_LT(distortion.relative_error(), 1) << codec_name(options);
    EXPECT_GT(distortion.amplitude(), 0);
    EXPECT_THAT(remarks_on(weight, options), HasSubstr("factors: gain limited to"));
  }
}

}  // namespace
}  // namespace pqw
