// Encoding by trellis-coded quantization: bits, errors, options, extreme weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "pqw/codecs/encode.h"
#include "pqw/core/distortion.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using testing::HasSubstr;

struct Outcome {
  TcqWeight weight;
  double bits;  // of the record, per weight
  Distortion distortion;
};

Outcome encoded(const Shape& shape, const std::vector<float>& values, const std::string& settings) {
  FloatTensor tensor{{"w", DType::kF32, shape}, values};
  const CodecOptions options = options_from(parse_settings("codec=tcq," + settings));
  const Weight weight = Encoding(std::move(tensor), options).encode();
  const auto bytes = static_cast<double>(data_bytes(to_record(weight, "w")));
  Outcome outcome{std::get<TcqWeight>(weight), 8 * bytes / static_cast<double>(values.size()), {}};
  const std::vector<float> decoded = test::decoded(weight);
  outcome.distortion.add(std::span<const float>(values), std::span<const float>(decoded));
  return outcome;
}

const Shape kShape = {256, 512};
const std::vector<float>& gaussian() {
  static const std::vector<float> values = test::normal_values(256 * 512, 1);
  return values;
}
Outcome of_gaussian(const std::string& settings) { return encoded(kShape, gaussian(), settings); }

// Entropy-coded TCQ of 8 states is 0.75 dB from the bound 2^-2R of the memoryless Gaussian source.
TEST(TcqEncode, GaussianWeightsAreNearTheBound) {
  for (const char* bits : {"2", "3"}) {
    const Outcome outcome =
        of_gaussian(std::string("lambda=0.3,scales=none,gain=least_squares,bits=") + bits);
    const double bound = std::exp2(-2 * outcome.bits) * std::pow(10, 0.075);
    EXPECT_NEAR(outcome.distortion.relative_error() / bound, 1, 0.04);
  }
}

TEST(TcqEncode, TakesTheBitsAskedFor) {
  for (const char* more : {"", ",scales=row", ",lambda=0.2", ",means=on"}) {
    for (const double bits : {1.5, 4.0, 6.0}) {
      const Outcome outcome = of_gaussian("bits=" + std::to_string(bits) + more);
      EXPECT_LE(outcome.bits, bits * 1.001) << more;
      EXPECT_GE(outcome.bits, bits * 0.98) << more;
    }
  }
}

// Every second group of rows, and so the sample, is a thousand times as weak.
TEST(TcqEncode, TakesTheBitsAskedForIfTheSampleIsUnlikeTheRest) {
  const Shape shape{2048, 1024};
  std::vector<float> values = test::normal_values(element_count(shape), 5);
  for (std::size_t r = 0; r < 2048; ++r) {
    for (std::size_t c = 0; r / 8 % 2 == 0 && c < 1024; ++c) values[r * 1024 + c] *= 1e-3f;
  }
  EXPECT_LE(encoded(shape, values, "bits=2").bits, 2.02);
}

// With lambda, so few bits may be out of reach.
TEST(TcqEncode, LambdaEndsWhereItWouldLeaveZeros) {
  const Outcome outcome = of_gaussian("bits=0.25,lambda=0.3");
  EXPECT_GE(outcome.bits, 0.25 * 0.95);
  EXPECT_LE(outcome.bits, 0.25 * 1.001);
}

TEST(TcqEncode, FinerStepsTakeMoreBitsForLessError) {
  double bits = 0, error = 1;
  for (const char* step : {"step=2", "step=1", "step=0.5", "step=0.25", "step=0.1"}) {
    const Outcome outcome = of_gaussian(step);
    EXPECT_GT(outcome.bits, bits) << step;
    EXPECT_LT(outcome.distortion.relative_error(), error) << step;
    bits = outcome.bits;
    error = outcome.distortion.relative_error();
  }
}

TEST(TcqEncode, AnAbsoluteStepIsThatOfTheWeights) {
  std::vector<float> values = gaussian();
  for (float& value : values) value *= 3;
  const std::string settings = "gain=none,scales=none,step=0.5,step_unit=";
  EXPECT_FLOAT_EQ(encoded(kShape, values, settings + "absolute").weight.step, 0.5f);
  EXPECT_NEAR(encoded(kShape, values, settings + "rms").weight.step, 1.5, 0.02);
}

TEST(TcqEncode, RowsHaveStepsInProportion) {
  std::vector<float> values = gaussian();
  for (std::size_t r = 0; r < 256; r += 2) {
    for (std::size_t c = 0; c < 512; ++c) values[r * 512 + c] *= 8;
  }
  const Outcome outcome = encoded(kShape, values, "bits=3,scales=row");
  ASSERT_EQ(outcome.weight.fineness.size(), 256u);
  for (std::size_t r = 0; r < 256; ++r) {
    EXPECT_NEAR(outcome.weight.fineness[r], r % 2 == 0 ? 0 : 6, 1);
  }
  EXPECT_TRUE(encoded(kShape, values, "bits=3").weight.fineness.empty());
}

TEST(TcqEncode, MeansOfColumnsPay) {
  std::vector<float> values = gaussian();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += static_cast<float>(i % 512) / 256;
  const Outcome with = encoded(kShape, values, "bits=2"),
                without = encoded(kShape, values, "bits=2,means=off");
  EXPECT_EQ(with.weight.means.size(), 512u);
  EXPECT_TRUE(without.weight.means.empty());
  EXPECT_LT(with.distortion.relative_error(), 0.7 * without.distortion.relative_error());
  EXPECT_TRUE(of_gaussian("bits=2").weight.means.empty());
}

TEST(TcqEncode, GainsAreThoseAskedFor) {
  EXPECT_NEAR(of_gaussian("bits=2").distortion.amplitude(), 1, 1e-5);
  EXPECT_LE(of_gaussian("step=1,gain=least_squares").distortion.relative_error(),
            of_gaussian("step=1,gain=none").distortion.relative_error());
  EXPECT_THAT(of_gaussian("bits=2").weight.options, HasSubstr(",gain_factor=1."));
}

TEST(TcqEncode, IsTheSameOnAnyThreads) {
  const int before = omp_get_max_threads();
  for (const char* settings : {"bits=2", "bits=2,lambda=0.3,scales=none"}) {
    omp_set_num_threads(1);
    const Outcome alone = of_gaussian(settings);
    omp_set_num_threads(3);
    const Outcome three = of_gaussian(settings);
    EXPECT_EQ(alone.weight.values, three.weight.values);
    EXPECT_EQ(alone.weight.step, three.weight.step);
  }
  omp_set_num_threads(before);
}

TEST(TcqEncode, ExtremeWeightsAreFinite) {
  for (const Shape& shape :
       {Shape{1, 1}, Shape{1, 100}, Shape{100, 1}, Shape{3, 7}, Shape{40, 9}}) {
    for (const float unit : {0.0f, 1e-45f, 1e-30f, 1.0f, 1e30f, 3e38f}) {
      for (const char* settings : {"bits=2", "bits=8,means=on", "step=0.01,lambda=0.3"}) {
        std::vector<float> values = test::normal_values(element_count(shape), 2);
        for (float& value : values) value = std::clamp(value, -1.0f, 1.0f) * unit;
        const Outcome outcome = encoded(shape, values, settings);
        for (const float value : test::decoded(outcome.weight)) ASSERT_TRUE(std::isfinite(value));
        const Record record = to_record(outcome.weight, "w");
        EXPECT_EQ(std::get<TcqWeight>(weight_from_record(record)).values, outcome.weight.values);
      }
    }
  }
}

TEST(TcqEncode, EqualWeightsAreNearlyExact) {
  const Outcome outcome = encoded({64, 64}, std::vector<float>(64 * 64, 0.3f), "bits=3");
  EXPECT_LT(outcome.distortion.relative_error(), 1e-3);
}

TEST(TcqEncode, AnOutlierIsWithinReach) {
  std::vector<float> values = gaussian();
  values[12345] = 1e6f;
  const Outcome outcome = encoded(kShape, values, "step=0.00001,scales=none,gain=none");
  EXPECT_NEAR(test::decoded(outcome.weight)[12345] / 1e6, 1, 1e-4);
}

}  // namespace
}  // namespace pqw
