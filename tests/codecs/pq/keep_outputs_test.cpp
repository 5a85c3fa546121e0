// Encoding with statistics of inputs: codes with feedback, refitted codebooks, and what they keep.
#include "codecs/pq/train/keep_outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "codecs/pq/train/feedback.h"
#include "codecs/pq/train/refit.h"
#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"
#include "pqw/core/output_error.h"
#include "tests/support/calibrated_layer.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

InputStatistics gram_of(std::vector<float> gram, std::size_t cols, std::size_t gram_block) {
  InputStatistics inputs{.cols = cols, .n_rows = 1};
  inputs.second_moments.assign(cols, 1);
  inputs.gram_block = gram_block;
  inputs.gram = std::move(gram);
  return inputs;
}

// One row, one column per block, and the centroids 0 and 1.
std::vector<std::uint16_t> codes_of(ConstMatrix w, const InputStatistics& inputs) {
  const Blocks blocks = cut_blocks(w, 1);
  PqWeight weight{{blocks.shape, DType::kF32, ""}};
  weight.block_size = 1;
  weight.n_centroids = 2;
  weight.codebooks = {0, 1};
  weight.codes.resize(w.rows() * w.cols());
  std::vector<BiasedRows> rows(1);
  for (std::size_t r = 0; r < w.rows(); ++r) rows[0].rows.push_back(r);
  Feedback(inputs, {w.rows(), w.cols()}, 1, 1e-6).assign(blocks, rows, weight);
  return weight.codes;
}

TEST(Feedback, LaterBlocksMakeUpForErrors) {
  // Both inputs are always equal, so the output is x (w_0 + w_1) = 0.8 x: one code is 1.
  const std::vector<float> w{0.4f, 0.4f};
  EXPECT_THAT(codes_of({w.data(), 1, 2}, gram_of({1, 1, 1, 1}, 2, 2)), ElementsAre(1, 0));
  // Opposite inputs: the output is x (w_0 - w_1) = 0, and both codes are 0.
  EXPECT_THAT(codes_of({w.data(), 1, 2}, gram_of({1, -1, -1, 1}, 2, 2)), ElementsAre(0, 0));
  // Without correlation in the Gram matrix there is no feedback.
  EXPECT_THAT(codes_of({w.data(), 1, 2}, gram_of({1, 1}, 2, 1)), ElementsAre(0, 0));
}

TEST(Feedback, CodesColumnsOfHighEnergyFirst) {
  // x_0 = 2 x_1. The output is x_1 (2 w_0 + w_1) = 1.4 x_1; after code 0 for w_0 the rest is 1.4.
  const std::vector<float> w{0.45f, 0.5f};
  InputStatistics inputs = gram_of({4, 2, 2, 1}, 2, 2);
  inputs.second_moments = {4, 1};
  EXPECT_THAT(codes_of({w.data(), 1, 2}, inputs), ElementsAre(0, 1));
  inputs = gram_of({1, 2, 2, 4}, 2, 2);
  inputs.second_moments = {1, 4};
  const std::vector<float> swapped{0.5f, 0.45f};
  EXPECT_THAT(codes_of({swapped.data(), 1, 2}, inputs), ElementsAre(1, 0));
}

// Σ rows[r] (w-ŵ) H (w-ŵ)ᵀ by its definition, with H as in input_metric.h.
double objective(const std::vector<float>& w, const PqWeight& weight,
                 const std::vector<float>& rows, const InputStatistics& inputs, double damping) {
  const std::size_t cols = weight.cols();
  std::vector<float> v(w.size());
  PqCodec::decode_rows(weight, 0, {v.data(), weight.rows(), cols});
  double trace = 0, sum = 0;
  for (const double moment : inputs.second_moments) trace += moment;
  for (std::size_t r = 0; r < weight.rows(); ++r) {
    for (std::size_t a = 0; a < cols; ++a) {
      for (std::size_t b = 0; b < cols; ++b) {
        const double h =
            inputs.gram[a * cols + b] * static_cast<double>(cols) / trace + (a == b ? damping : 0);
        sum += rows[r] * h * (double{w[r * cols + a]} - v[r * cols + a]) *
               (double{w[r * cols + b]} - v[r * cols + b]);
      }
    }
  }
  return sum;
}

TEST(Refit, FindsTheCodebooksOfTheLeastError) {
  constexpr std::size_t kRows = 40, kCols = 10;
  const auto w = test::normal_values(kRows * kCols, 3);
  const InputStatistics inputs =
      test::statistics_of(test::correlated_inputs(50, kCols, 6, 1, 1), kCols, kCols);
  const Blocks blocks = cut_blocks({w.data(), kRows, kCols}, 3);
  PqWeight weight{{blocks.shape, DType::kF32, ""}};
  weight.block_size = 3;
  weight.n_groups = 2;
  weight.n_centroids = 4;
  weight.codebooks.assign(2 * 4 * 3, 0);
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    weight.codes.push_back(static_cast<std::uint16_t>(i * 7 % 3));  // centroid 3 has no blocks
  }
  std::vector<float> rows(kRows, 1);
  rows[5] = 9;
  weight.codebooks[3 * 3] = 7;
  refit_codebooks(blocks, rows, inputs, 0.01, 100, weight);
  EXPECT_EQ(weight.codebooks[3 * 3], 7) << "no block depends on it";
  const double least = objective(w, weight, rows, inputs, 0.01);
  for (float& value : weight.codebooks) {
    for (const float step : {-0.01f, 0.01f}) {
      value += step;
      EXPECT_GE(objective(w, weight, rows, inputs, 0.01), least * (1 - 1e-9));
      value -= step;
    }
  }
  weight.codebooks.assign(weight.codebooks.size(), 0);
  const double zeros = objective(w, weight, rows, inputs, 0.01);
  refit_codebooks(blocks, rows, inputs, 0.01, 2, weight);
  const double partial = objective(w, weight, rows, inputs, 0.01);
  EXPECT_LT(partial, zeros);
  EXPECT_GE(partial, least * (1 - 1e-6));
}

// Two groups, each with a metric of its own on one scale: every group alone weighs by its energy.
TEST(Refit, WeighsGroupsByTheirInputs) {
  const std::vector<float> w{1, 3};  // two rows of one column
  InputStatistics inputs = gram_of({1, 3}, 2, 1);
  inputs.second_moments = {1, 3};
  const Blocks blocks = cut_blocks({w.data(), 2, 1}, 1);
  PqWeight weight{{blocks.shape, DType::kF32, ""}};
  weight.block_size = 1;
  weight.n_centroids = 1;
  weight.codebooks = {0};
  weight.codes = {0, 0};
  refit_codebooks(blocks, {}, inputs, 0.01, 100, weight);
  EXPECT_NEAR(weight.codebooks[0], (1 * 1 + 3 * 3) / 4.0, 1e-6);
}

struct Layer : test::CalibratedLayer {
  PqWeight encode(const char* settings, const InputStatistics* inputs,
                  const PqImportance* importance = nullptr) const {
    return test::CalibratedLayer::encode<PqWeight>(settings, inputs, importance);
  }
  using test::CalibratedLayer::error;
  double error(const char* settings, const InputStatistics* inputs) const {
    return error(encode(settings, inputs));
  }
};

TEST(KeepOutputs, LowersTheErrorOfNewOutputs) {
  const Layer layer{{96, 130}};  // the last block is cut
  const InputStatistics gram = test::statistics_of(layer.x, 130, 130, layer.held_out);
  const InputStatistics diagonal = test::statistics_of(layer.x, 130, 0);
  for (const char* settings :
       {"block_size=4,centroids=32", "block_size=4,centroids=16,groups=3",
        "block_size=8,centroids=64,row_scales=log8", "block_size=3,centroids=32,codebook=f32"}) {
    const double plain = layer.error(settings, nullptr);
    EXPECT_LT(layer.error(settings, &gram), 0.3 * plain) << settings;
    EXPECT_LT(layer.error(settings, &diagonal), 1.05 * plain) << settings;
  }
}

// Each group has its own Gram matrix: encoding it with the statistics of all groups in one would
// be no better than without.
TEST(KeepOutputs, LowersTheErrorOfConvolutionsInGroups) {
  const std::size_t shapes[][3] = {{96, 9, 96}, {64, 30, 4}};  // rows, columns, groups
  for (const auto& [rows, cols, n_groups] : shapes) {
    const Layer layer{{rows, cols, n_groups}};
    const InputStatistics inputs =
        test::statistics_of(layer.x, n_groups * cols, cols, layer.held_out);
    for (const char* settings :
         {"block_size=4,centroids=16", "block_size=4,centroids=32,lambda=0.05",
          "block_size=3,centroids=16,row_scales=log8"}) {
      EXPECT_LT(layer.error(settings, &inputs), 0.7 * layer.error(settings, nullptr))
          << rows << " " << settings;
    }
  }
}

TEST(KeepOutputs, TradesErrorForBitsByLambda) {
  const Layer layer{{200, 128}};
  const InputStatistics inputs = test::statistics_of(layer.x, 128, 128, layer.held_out);
  const auto bytes = [](const PqWeight& weight) {
    return data_bytes(PqCodec::to_record(weight, "w"));
  };
  const PqWeight plain = layer.encode("block_size=4,centroids=64,lambda=0.1", nullptr);
  const PqWeight none = layer.encode("block_size=4,centroids=64", &inputs);
  const PqWeight some =
      layer.encode("block_size=4,centroids=64,lambda=0.03,row_scales=log8", &inputs);
  const PqWeight more = layer.encode("block_size=4,centroids=64,lambda=0.1", &inputs);
  EXPECT_LT(bytes(some), bytes(none));
  EXPECT_LT(bytes(more), bytes(some));
  EXPECT_LE(bytes(more), bytes(plain));
  EXPECT_LT(layer.error(more), 0.5 * layer.error(plain));
}

TEST(KeepOutputs, ScalesWeightsOfAnySize) {
  Layer layer{{60, 40}};
  const InputStatistics inputs = test::statistics_of(layer.x, 40, 40, layer.held_out);
  const PqWeight small = layer.encode("block_size=4,centroids=32,codebook=f32", &inputs);
  for (float& value : layer.w) value *= 0x1p70f;
  const PqWeight large = layer.encode("block_size=4,centroids=32,codebook=f32", &inputs);
  for (float& value : layer.w) value *= 0x1p-70f;
  PqWeight scaled_back = large;
  for (float& value : scaled_back.codebooks) value *= 0x1p-70f;
  EXPECT_NEAR(layer.error(scaled_back) / layer.error(small), 1, 0.3);
  EXPECT_EQ(large.n_centroids, small.n_centroids);
}

TEST(KeepOutputs, UsesTheBlocksOfTheGramMatrix) {
  const Layer layer{{96, 130}};
  const double plain = layer.error("block_size=4,centroids=32", nullptr);
  const InputStatistics inputs = test::statistics_of(layer.x, 130, 50, layer.held_out);
  EXPECT_LT(layer.error("block_size=4,centroids=32", &inputs), 0.5 * plain);
}

TEST(KeepOutputs, TakesFewerInputsThanColumns) {
  const Layer layer{{64, 96}};
  const auto x = test::correlated_inputs(9, 96, 3, 1, 1);
  const InputStatistics inputs = test::statistics_of(x, 96, 96);
  const PqWeight weight = layer.encode("block_size=4,centroids=32", &inputs);
  const PqWeight plain = layer.encode("block_size=4,centroids=32", nullptr);
  const auto error = [&](const PqWeight& of) {
    std::vector<float> v(layer.w.size());
    PqCodec::decode_rows(of, 0, {v.data(), 64, 96});
    return output_error({layer.w.data(), 64, 96}, {v.data(), 64, 96}, {x.data(), 9, 96});
  };
  EXPECT_LT(error(weight), 0.05 * error(plain));
}

TEST(KeepOutputs, InputsOfZeroLeaveTheWeightsToBeKept) {
  const Layer layer{{64, 24}};
  const InputStatistics inputs = test::statistics_of(std::vector<float>(48), 24, 24);
  const double plain = layer.error("block_size=4,centroids=32", nullptr);
  EXPECT_LT(layer.error("block_size=4,centroids=32", &inputs), 1.2 * plain);
}

TEST(KeepOutputs, LearnsCodebooksOfTallWeightsFromRows) {
  const Layer layer{{1200, 64}};
  const InputStatistics inputs = test::statistics_of(layer.x, 64, 64, layer.held_out);
  const double plain = layer.error("block_size=4,centroids=4", nullptr);
  EXPECT_LT(layer.error("block_size=4,centroids=4", &inputs), 0.5 * plain);
}

TEST(KeepOutputs, ResultDoesNotDependOnThreads) {
  const Layer layer{{600, 64}};
  const InputStatistics inputs = test::statistics_of(layer.x, 64, 64, layer.held_out);
  const char* settings = "block_size=4,centroids=16,row_scales=log8";
  const int n_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const PqWeight one = layer.encode(settings, &inputs);
  omp_set_num_threads(4);
  const PqWeight four = layer.encode(settings, &inputs);
  omp_set_num_threads(n_threads);
  EXPECT_EQ(one.codes, four.codes);
  EXPECT_EQ(one.codebooks, four.codebooks);
  EXPECT_EQ(one.options, four.options);
}

TEST(KeepOutputs, KeepsWhatIsExact) {
  Layer layer{{60, 32}};
  for (std::size_t i = 0; i < layer.w.size(); ++i) layer.w[i] = static_cast<float>(i / 4 % 8);
  const InputStatistics inputs = test::statistics_of(layer.x, 32, 32, layer.held_out);
  EXPECT_EQ(layer.error("block_size=4,centroids=16", &inputs), 0);
}

std::string refusal(const Layer& layer, const char* settings, const InputStatistics& inputs,
                    const PqImportance* importance = nullptr) try {
  layer.encode(settings, &inputs, importance);
  return "";
} catch (const Error& error) {
  return error.what();
}

TEST(KeepOutputs, RefusesStatisticsThatDoNotFit) {
  const Layer layer{{8, 12}};
  const InputStatistics good = test::statistics_of(layer.x, 12, 12);
  EXPECT_EQ(refusal(layer, "block_size=4", good), "");
  InputStatistics inputs = test::statistics_of(test::normal_values(40, 1), 10, 10);
  EXPECT_THAT(refusal(layer, "block_size=4", inputs), HasSubstr("the weight has 12 columns"));
  inputs = test::statistics_of(test::normal_values(360, 1), 36, 12);
  EXPECT_THAT(refusal(layer, "block_size=4", inputs), HasSubstr("36 inputs")) << "3 groups, 8 rows";
  inputs = good;
  inputs.gram.pop_back();
  EXPECT_THAT(refusal(layer, "block_size=4", inputs), HasSubstr("143 values, expected 144"));
  inputs = good;
  inputs.second_moments[3] = -1;
  EXPECT_THAT(refusal(layer, "block_size=4", inputs), HasSubstr("finite and 0 or more"));
  inputs = good;
  inputs.gram[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal(layer, "block_size=4", inputs), HasSubstr("expected finite values"));
  EXPECT_THAT(refusal(layer, "block_size=4,engine=faiss,init=random", good),
              HasSubstr("use engine=native"));
  const std::vector<float> columns(12, 1);
  const PqImportance importance{{}, columns};
  EXPECT_THAT(refusal(layer, "block_size=4", good, &importance), HasSubstr("give one of them"));
}

}  // namespace
}  // namespace pqw
