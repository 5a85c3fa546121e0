// Trellis-coded quantization with statistics of inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "codecs/tcq/train/feedback.h"
#include "codecs/tcq/train/quantize.h"
#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"
#include "pqw/core/output_error.h"
#include "tests/support/calibrated_layer.h"

namespace pqw {
namespace {

struct Layer : test::CalibratedLayer {
  TcqWeight encode(const std::string& settings, const InputStatistics* inputs) const {
    return test::CalibratedLayer::encode<TcqWeight>("codec=tcq," + settings, inputs);
  }
};

double bits_of(const TcqWeight& weight) {
  return 8 * static_cast<double>(data_bytes(TcqCodec::to_record(weight, "w"))) /
         static_cast<double>(weight.values.size());
}

TEST(TcqFeedback, LowersTheErrorOfNewOutputsAtEqualBits) {
  const Layer layer{{190, 150}};
  const InputStatistics whole = test::statistics_of(layer.x, 150, 150, layer.held_out);
  const InputStatistics parts = test::statistics_of(layer.x, 150, 60);
  for (const char* settings : {"bits=2.5", "bits=1.5,lambda=0.2", "bits=3,scales=none,means=on"}) {
    const TcqWeight plain = layer.encode(settings, nullptr);
    const TcqWeight kept = layer.encode(settings, &whole);
    EXPECT_NEAR(bits_of(kept) / bits_of(plain), 1, 0.03) << settings;
    EXPECT_LT(layer.error(kept), 0.3 * layer.error(plain)) << settings;
    EXPECT_LT(layer.error(layer.encode(settings, &parts)), 0.6 * layer.error(plain)) << settings;
  }
}

TEST(TcqFeedback, LowersTheErrorOfConvolutionsInGroupsAtEqualBits) {
  const std::size_t shapes[][3] = {{96, 9, 96}, {240, 70, 20}};  // rows, columns, groups
  for (const auto& [rows, cols, n_groups] : shapes) {
    const Layer layer{{rows, cols, n_groups}};
    for (const std::size_t gram_block : {cols, cols / 3 + cols % 3}) {
      if (cols % gram_block != 0) continue;
      const InputStatistics inputs =
          test::statistics_of(layer.x, n_groups * cols, gram_block, layer.held_out);
      for (const char* settings : {"bits=3", "bits=2,lambda=0.1"}) {
        const TcqWeight plain = layer.encode(settings, nullptr);
        const TcqWeight kept = layer.encode(settings, &inputs);
        EXPECT_NEAR(bits_of(kept) / bits_of(plain), 1, 0.03) << rows << " " << settings;
        const double least = gram_block == cols ? 0.7 : 0.95;
        EXPECT_LT(layer.error(kept), least * layer.error(plain)) << rows << " " << settings;
      }
    }
  }
}

// Records hold paths through the trellis only: chains of several groups of short rows, the last one
// incomplete.
TEST(TcqFeedback, ShortRowsFollowTheTrellis) {
  for (const std::size_t cols : {1, 7, 30}) {
    const Layer layer{{101, cols}};
    const InputStatistics inputs = test::statistics_of(layer.x, cols, cols, layer.held_out);
    const TcqWeight weight = layer.encode("step=0.3", &inputs);
    const TcqWeight read = TcqCodec::from_record(TcqCodec::to_record(weight, "w"));
    EXPECT_EQ(read.values, weight.values);
    EXPECT_LT(layer.error(weight), 0.05);
  }
}

TEST(TcqFeedback, WithoutCorrelationIsThePlainTrellis) {
  const auto w = test::normal_values(24 * 300, 2);
  InputStatistics inputs{.cols = 300, .n_rows = 1};
  inputs.second_moments.assign(300, 2);
  inputs.gram_block = 300;
  inputs.gram.assign(300 * 300, 0);
  for (std::size_t c = 0; c < 300; ++c) inputs.gram[c * 301] = 2;
  TcqWeight plain{{{24, 300}, DType::kF32}};
  plain.step = 0.7f;
  TcqWeight fed = plain;
  tcq::quantize({w.data(), 24, 300}, nullptr, 0, plain);
  tcq::Feedback(inputs, {24, 300}, 0.01).quantize({w.data(), 24, 300}, nullptr, 0, fed);
  double error = 0, least = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    error += std::pow(w[i] / 0.7 - fed.values[i], 2);
    least += std::pow(w[i] / 0.7 - plain.values[i], 2);
  }
  EXPECT_NEAR(error / least, 1, 0.01) << "early decisions hardly cost";
}

TEST(TcqFeedback, ResultDoesNotDependOnThreads) {
  const Layer layer{{700, 40}};
  const InputStatistics inputs = test::statistics_of(layer.x, 40, 40, layer.held_out);
  const int n_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const TcqWeight one = layer.encode("bits=2", &inputs);
  omp_set_num_threads(4);
  const TcqWeight four = layer.encode("bits=2", &inputs);
  omp_set_num_threads(n_threads);
  EXPECT_EQ(one.values, four.values);
  EXPECT_EQ(one.step, four.step);
}

TEST(TcqFeedback, NeedsAGramMatrixOfTheSameColumns) {
  const Layer layer{{40, 30}};
  const InputStatistics moments = test::statistics_of(layer.x, 30, 0);
  EXPECT_EQ(layer.encode("bits=3", &moments).values, layer.encode("bits=3", nullptr).values);
  const InputStatistics others = test::statistics_of(layer.x, 20, 20);
  try {
    layer.encode("bits=3", &others);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("the weight has 30 columns"));
  }
}

}  // namespace
}  // namespace pqw
