// Quantizing float weights to int8.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "pqw/codecs/encode.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr float kMin = std::numeric_limits<float>::min();
constexpr float kMax = std::numeric_limits<float>::max();

Int8Weight int8_from_float(ConstMatrix w, const Int8Options& options = {}) {
  const std::span values(w.data(), w.rows() * w.cols());
  return Int8Codec::encode(
      {{"w", DType::kF32, {w.rows(), w.cols()}}, {values.begin(), values.end()}}, options, {});
}

// Without the gain: most tests here are about the rounding.
Int8Weight quantize(const std::vector<float>& w, std::size_t rows, Int8Options options) {
  options.gain = Gain::kNone;
  return int8_from_float({w.data(), rows, w.size() / rows}, options);
}

TEST(Int8Options, AreSetByNameAndTold) {
  const auto text = [](const Settings& settings) {
    return to_string(options_from(settings, "int8"));
  };
  EXPECT_EQ(text({}), "per=row,scheme=symmetric,activations=row");
  const Settings others{{"per", "tensor"}, {"scheme", "affine"}, {"activations", "batch"}};
  EXPECT_EQ(text(others), "per=tensor,scheme=affine,activations=batch");
}

TEST(Int8Options, UnknownNamesAndTextsAreRefused) {
  const std::pair<std::string, std::string> mistakes[] = {
      {"per", "column"}, {"scheme", ""}, {"activations", "tensor"}, {"block_size", "8"}};
  for (const auto& mistake : mistakes) EXPECT_THROW(options_from({mistake}, "int8"), Error);
}

TEST(Int8Encode, SymmetricRowsByHand) {
  const Int8Weight weight = quantize({127, -1, 0.5f, 1.5f, 0.5f, -2.54f, 0.03f, 0}, 2, {});
  // 0.5 and 1.5 are ties: to even. The second row is in units of 0.02.
  EXPECT_THAT(weight.values, ElementsAre(127, -1, 0, 2, 25, -127, 2, 0));
  EXPECT_THAT(weight.scales, ElementsAre(1.0f, 2.54f / 127));
  EXPECT_TRUE(weight.zero_points.empty());
  EXPECT_EQ(
      weight.options,
      "per=row,scheme=symmetric,activations=row,gain=none,gain_factor=1.0000,gain_limit=none");
}

TEST(Int8Encode, AffineTensorByHand) {
  const Int8Weight weight =
      quantize({-51, 204, 0, 76.4f}, 2, {Granularity::kTensor, Int8Scheme::kAffine});
  EXPECT_THAT(weight.scales, ElementsAre(1.0f));
  EXPECT_THAT(weight.zero_points, ElementsAre(-77));
  EXPECT_THAT(weight.values, ElementsAre(-128, 127, -77, -1));
  EXPECT_THAT(test::decoded(weight), ElementsAre(-51, 204, 0, 76));
}

TEST(Int8Encode, EveryWeightIsOffByHalfAScaleAtMost) {
  for (const Granularity per : {Granularity::kRow, Granularity::kTensor}) {
    for (const Int8Scheme scheme : {Int8Scheme::kSymmetric, Int8Scheme::kAffine}) {
      for (const float mean : {-3.0f, 0.0f, 0.7f}) {
        for (const float unit : {1e-30f, 1.0f, 1e30f}) {
          const auto w = test::normal_values(37 * 53, 3, mean * unit, unit);
          const Int8Weight weight = quantize(w, 37, {per, scheme});
          const auto back = test::decoded(weight);
          for (std::size_t i = 0; i < w.size(); ++i) {
            ASSERT_LE(std::abs(w[i] - back[i]), weight.scale(i / 53) * 0.50002f);
          }
        }
      }
    }
  }
}

TEST(Int8Encode, ZerosStayZeros) {
  for (const Int8Scheme scheme : {Int8Scheme::kSymmetric, Int8Scheme::kAffine}) {
    const Int8Weight weight = quantize({0, 0, 0, 5, 0, 7}, 2, {.scheme = scheme});
    const auto back = test::decoded(weight);
    EXPECT_THAT(std::vector<float>(back.begin(), back.begin() + 3), Each(0.0f));
    EXPECT_EQ(back[4], 0);
  }
}

// In units of the smallest float: 127 of them and fewer are exact; 190 / 127 is rounded up to 2.
TEST(Int8Encode, TheSmallestWeightsHaveASubnormalScale) {
  constexpr float kUnit = std::numeric_limits<float>::denorm_min();
  const std::vector<float> w{kUnit, -kUnit, 127 * kUnit, -3 * kUnit, 190 * kUnit, -5 * kUnit, 0, 0};
  const Int8Weight weight = quantize(w, 4, {});
  EXPECT_THAT(weight.scales, ElementsAre(kUnit, kUnit, 2 * kUnit, kUnit));
  EXPECT_THAT(weight.values, ElementsAre(1, -1, 127, -3, 95, -2, 0, 0));
  // Units of 255 at most are exact with a zero point as well.
  const Int8Weight affine =
      quantize({-100 * kUnit, 155 * kUnit}, 1, {.scheme = Int8Scheme::kAffine});
  EXPECT_THAT(affine.scales, ElementsAre(kUnit));
  EXPECT_THAT(test::decoded(affine), ElementsAre(-100 * kUnit, 155 * kUnit));
}

TEST(Int8Encode, SmallWeightsAreOffByHalfAScaleAtMostAndAScaleBelowTheNormalFloats) {
  for (const Int8Scheme scheme : {Int8Scheme::kSymmetric, Int8Scheme::kAffine}) {
    for (const float unit : {1e-36f, 1e-38f, 1e-40f, 1e-42f, 1e-44f}) {
      const auto w = test::normal_values(37 * 53, 3, 0, unit);
      const Int8Weight weight = quantize(w, 37, {.scheme = scheme});
      const auto back = test::decoded(weight);
      for (std::size_t i = 0; i < w.size(); ++i) {
        // Halves of a subnormal scale are rounded to a multiple of the smallest float.
        const double most = 0.50002 * weight.scale(i / 53) + 0.7e-45;
        ASSERT_LE(std::abs(w[i] - back[i]), most) << unit;
      }
    }
  }
}

TEST(Int8Encode, TheLargestWeightsOfATypeStayFinite) {
  struct Limit {
    DType dtype;
    float value;
  };
  for (const auto& [dtype, value] :
       {Limit{DType::kF16, 65504}, Limit{DType::kBF16, 0x1.fep127f}, Limit{DType::kF32, kMax}}) {
    for (const Int8Scheme scheme : {Int8Scheme::kSymmetric, Int8Scheme::kAffine}) {
      const FloatTensor tensor{{"w", dtype, {1, 3}}, {value, -value, value / 3}};
      const auto back = test::decoded(
          Int8Codec::encode(tensor, Int8Options{.scheme = scheme, .gain = Gain::kNone}, {}));
      std::vector<std::byte> bytes(3 * size_in_bytes(dtype));
      from_float(back, dtype, bytes);
      std::vector<float> stored(3);
      to_float(bytes, dtype, stored);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_LE(std::abs(stored[i] - tensor.values[i]), value / 64) << to_string(dtype);
      }
    }
  }
}

// Values (127, 1) for (127, 1.4): ‖w‖² = 16130.96, <w,ŵ> = 16130.4, ‖ŵ‖² = 16130.
TEST(Int8Gain, MultipliesEachScaleByHand) {
  const std::vector<float> w{127, 1.4f, -0.5f * 127, -0.5f * 1.4f};
  const auto scales = [&](Gain gain, Granularity per) {
    return int8_from_float({w.data(), 2, 2}, {.per = per, .gain = gain}).scales;
  };
  const double factors[] = {16130.96 / 16130.4, std::sqrt(16130.96 / 16130), 16130.4 / 16130, 1};
  for (const Gain gain : {Gain::kUnbiased, Gain::kEnergy, Gain::kLeastSquares, Gain::kNone}) {
    const auto factor = static_cast<float>(factors[static_cast<std::size_t>(gain)]);
    EXPECT_THAT(scales(gain, Granularity::kRow),
                ElementsAre(testing::FloatEq(factor), testing::FloatEq(0.5f * factor)));
  }
  // (127, 1, -64, -1): the ties are rounded to even.
  const double original = 16130.96 * 1.25, product = 16129 + 1.4 + 63.5 * 64 + 0.7;
  EXPECT_THAT(scales(Gain::kUnbiased, Granularity::kTensor),
              ElementsAre(testing::FloatEq(static_cast<float>(original / product))));
  EXPECT_THAT(int8_from_float({w.data(), 2, 2}).options,
              testing::EndsWith("activations=row,gain_factor=1.0000,gain_limit=none"));
}

TEST(Int8Gain, UnbiasedHasAmplitudeOneInEachRow) {
  const std::size_t rows = 20, cols = 30;
  auto w = test::normal_values(rows * cols, 3);
  for (std::size_t r = 0; r < rows; ++r) w[r * cols] = 40;  // the others are rounded coarsely
  for (const Int8Scheme scheme : {Int8Scheme::kSymmetric, Int8Scheme::kAffine}) {
    for (const Granularity per : {Granularity::kRow, Granularity::kTensor}) {
      const auto v =
          test::decoded(int8_from_float({w.data(), rows, cols}, {.per = per, .scheme = scheme}));
      double original = 0, product = 0;
      for (std::size_t i = 0; i < w.size(); ++i) {
        original += double{w[i]} * w[i];
        product += double{w[i]} * v[i];
        if ((i + 1) % cols != 0) continue;
        if (per == Granularity::kTensor && i + 1 < w.size()) continue;
        EXPECT_NEAR(product / original, 1, 1e-6);
        original = product = 0;
      }
    }
  }
}

TEST(Int8Gain, ExactWeightsStayExact) {
  const std::vector<float> w{127, -3, 0, 5, 0.25f * 127, -0.25f, 0, 0, 0, 0, 0, 0};
  const Int8Weight weight = int8_from_float({w.data(), 3, 4});
  EXPECT_EQ(test::decoded(weight), w);
  EXPECT_THAT(weight.scales, ElementsAre(1, 0.25f, std::numeric_limits<float>::denorm_min()));
}

// Values below half a scale are lost, so the gain would be 1.06: more than float16 has room for.
TEST(Int8Gain, DoesNotLeaveTheRangeOfTheType) {
  FloatTensor tensor{{"w", DType::kF16, {1, 5001}}, std::vector<float>(5001, 230)};
  tensor.values[0] = 65504;
  const Int8Weight weight = Int8Codec::encode(tensor, Int8Options(), {});
  EXPECT_LE(test::decoded(weight)[0], 65504.01f);
  EXPECT_GT(test::decoded(weight)[0], 65503);
  EXPECT_THAT(weight.options, testing::EndsWith(",gain_factor=1.0000,gain_limit=type"));
  tensor.values[0] = 60000;
  EXPECT_GT(test::decoded(Int8Codec::encode(tensor, Int8Options(), {}))[0], 64000);
}

TEST(Int8Encode, SameBytesOnAnyNumberOfThreads) {
  const auto w = test::normal_values(300 * 400, 3);
  const int n_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Int8Weight one = quantize(w, 300, {});
  omp_set_num_threads(5);
  const Int8Weight five = quantize(w, 300, {});
  omp_set_num_threads(n_threads);
  EXPECT_TRUE(one.values == five.values);
  EXPECT_EQ(one.scales, five.scales);
}

// Through the options of any codec: a convolution, flattened, of another type.
TEST(Int8Encode, KeepsShapeAndType) {
  const FloatTensor tensor{{"conv", DType::kF16, {4, 3, 2, 5}}, test::normal_values(120, 8)};
  for (const char* text : {"codec=int8", "codec=int8,per=tensor,scheme=affine,activations=batch"}) {
    const CodecOptions options = options_from(parse_settings(text));
    EXPECT_EQ(codec_name(options), "int8");
    const auto weight = std::get<Int8Weight>(Encoding(tensor, options).encode());
    EXPECT_EQ(weight.shape, tensor.info.shape);
    EXPECT_EQ(weight.dtype, DType::kF16);
    EXPECT_EQ(remarks_on(Weight(weight), options), "");
    EXPECT_THAT(weight.options, testing::StartsWith(summary(weight) + ",gain_factor="));
    EXPECT_EQ(Int8Codec::from_record(to_record(weight, "conv")).values, weight.values);
  }
}

}  // namespace
}  // namespace pqw
