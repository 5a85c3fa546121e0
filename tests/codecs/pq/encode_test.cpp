#include "pqw/codecs/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "pqw/core/convert.h"
#include "pqw/core/distortion.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

struct Recorder : EmObserver {
  void on_iteration(const EmIteration& iteration) override { iterations.push_back(iteration); }
  std::vector<EmIteration> iterations;
};

double relative_error(const std::vector<float>& w, const PqWeight& weight) {
  Distortion distortion;
  distortion.add(w, test::decoded(weight));
  return distortion.relative_error();
}

PqWeight encode_matrix(const std::vector<float>& w, std::size_t rows, const PqOptions& options,
                       EmObserver* observer = nullptr) {
  return pq_from_float(ConstMatrix(w.data(), rows, rows == 0 ? 0 : w.size() / rows), options,
                       {.observer = observer});
}

TEST(Encode, FourSeparateClustersAreFoundExactly) {
  // Blocks around (0,0), (0,10), (10,0), (10,10); the best centroids are the means of each four.
  std::vector<float> w;
  for (const float x : {0.0f, 10.0f}) {
    for (const float y : {0.0f, 10.0f}) {
      for (const float shift : {-0.5f, 0.5f}) {
        w.insert(w.end(), {x + shift, y, x, y + shift});
      }
    }
  }
  const PqWeight weight = encode_matrix(
      w, 4,
      {.block_size = 2, .n_centroids = 4, .seed = 1, .tolerance = 0, .gain = Gain::kLeastSquares});
  EXPECT_EQ(weight.n_centroids, 4u);
  Distortion distortion;
  distortion.add(w, test::decoded(weight));
  EXPECT_DOUBLE_EQ(distortion.squared_error(), 16 * 0.25);
}

TEST(Encode, ObjectiveNeverRisesWithoutReassignment) {
  const auto w = test::normal_values(64 * 64, 1);
  Recorder recorder;
  encode_matrix(w, 64, {.block_size = 4, .n_centroids = 32, .restarts = 1, .tolerance = 0},
                &recorder);
  ASSERT_GE(recorder.iterations.size(), 10u);
  for (std::size_t i = 1; i < recorder.iterations.size(); ++i) {
    if (recorder.iterations[i - 1].n_reassigned > 0) continue;
    EXPECT_LE(recorder.iterations[i].objective, recorder.iterations[i - 1].objective * (1 + 1e-9));
  }
}

TEST(Encode, ToleranceEndsEarly) {
  const auto w = test::normal_values(64 * 64, 1);
  Recorder recorder;
  encode_matrix(w, 64, {.block_size = 4, .n_centroids = 32, .restarts = 1, .tolerance = 0.01},
                &recorder);
  EXPECT_LT(recorder.iterations.size(), 20u);
  EXPECT_GT(recorder.iterations.size(), 2u);
}

TEST(Encode, ErrorOfNormalWeightsIsWhatRateAllows) {
  // K = 256, d = 4 is 2 bits a weight: no code is below 2^-4 = 0.0625 (Shannon), and a good vector
  // quantizer of dimension 4 reaches less than the scalar Lloyd-Max quantizer's 0.1175.
  const auto w = test::normal_values(256 * 256, 3);
  const double error = relative_error(
      w, encode_matrix(w, 256, {.block_size = 4, .restarts = 1, .gain = Gain::kLeastSquares}));
  EXPECT_GT(error, 0.0625);
  EXPECT_LT(error, 0.1);
}

TEST(Encode, FewerDistinctBlocksThanCentroidsAreExact) {
  std::vector<float> w;
  for (std::size_t i = 0; i < 300; ++i) {
    w.insert(w.end(), {static_cast<float>(i % 5), -0.25f * static_cast<float>(i % 5)});
  }
  const PqWeight weight = encode_matrix(w, 100, {.block_size = 2, .n_centroids = 256});
  EXPECT_EQ(weight.n_centroids, 5u);
  EXPECT_EQ(test::decoded(weight), w);
}

TEST(Encode, AllZeroAndConstantTensorsTakeOneCentroid) {
  for (const float value : {0.0f, -1.5f}) {
    const std::vector<float> w(64 * 9, value);
    const PqWeight weight = encode_matrix(w, 64, {.block_size = 4});
    // Tails are padded with zeros, so a constant has two kinds of blocks.
    EXPECT_EQ(weight.n_centroids, value == 0 ? 1u : 2u);
    EXPECT_EQ(test::decoded(weight), w);
  }
}

TEST(Encode, OneRowOneColumnAndOneBlock) {
  const auto w = test::normal_values(1000, 5);
  EXPECT_LT(relative_error(w, encode_matrix(w, 1, {.block_size = 8, .n_centroids = 16})), 1);
  EXPECT_LT(relative_error(w, encode_matrix(w, 1000, {.block_size = 8, .n_centroids = 16})), 0.05);
  const PqWeight single = encode_matrix({1.5f}, 1, {.block_size = 8});
  EXPECT_EQ(test::decoded(single), std::vector<float>{1.5f});
}

TEST(Encode, NoElementsGiveNoCodes) {
  for (const Shape& shape : {Shape{0, 4}, Shape{4, 0}, Shape{0, 0}}) {
    const PqWeight weight =
        pq_from_float(ConstMatrix(nullptr, shape[0], shape[1]), {.block_size = 8});
    EXPECT_TRUE(weight.codes.empty());
    EXPECT_EQ(weight.n_centroids, 1u);
    EXPECT_TRUE(test::decoded(weight).empty());
  }
}

TEST(Encode, TailsAreNeitherCountedNorWritten) {
  const auto w = test::normal_values(40 * 13, 9);
  for (const std::size_t d : {2u, 5u, 8u, 13u, 40u}) {
    const PqWeight weight = encode_matrix(w, 40, {.block_size = d, .n_centroids = 1024});
    EXPECT_EQ(weight.codes.size(), 40 * ((13 + d - 1) / d));
    EXPECT_LT(relative_error(w, weight), 1e-6) << "as many centroids as blocks, d = " << d;
  }
}

TEST(Encode, OutlierDoesNotSwallowTheRest) {
  auto w = test::normal_values(256 * 64, 11);
  w[77] = 1e6f;
  const PqWeight weight = encode_matrix(w, 256, {.block_size = 4, .n_centroids = 64});
  EXPECT_EQ(weight.codebook_dtype, DType::kF32) << "1e6 is beyond binary16";
  w[77] = test::decoded(weight)[77] = 0;
  const auto v = test::decoded(weight);
  Distortion rest;
  rest.add({w.data() + 80, w.size() - 80}, {v.data() + 80, v.size() - 80});
  EXPECT_LT(rest.relative_error(), 0.3);
}

TEST(Encode, TinyWeightsKeepTheirPrecision) {
  auto w = test::normal_values(64 * 64, 12);
  PqOptions options{.block_size = 4, .n_centroids = 64};
  const double usual = relative_error(w, encode_matrix(w, 64, options));
  for (float& value : w) value *= 1e-12f;
  const PqWeight weight = encode_matrix(w, 64, options);
  EXPECT_EQ(weight.codebook_dtype, DType::kF32);
  EXPECT_NEAR(relative_error(w, weight), usual, 0.02 * usual);
}

TEST(Encode, DenormalsAndHalfPrunedTensorsEnd) {
  std::vector<float> w(64 * 64, std::numeric_limits<float>::denorm_min());
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= static_cast<float>(i % 1000);
  Recorder recorder;
  encode_matrix(w, 64, {.block_size = 4, .n_centroids = 200, .iterations = 9, .restarts = 1},
                &recorder);
  EXPECT_LE(recorder.iterations.size(), 9u);

  auto pruned = test::normal_values(256 * 64, 13);
  for (std::size_t i = 0; i < pruned.size(); ++i) {
    if (i / 4 % 10 != 0) pruned[i] = 0;  // nine of ten blocks are zero
  }
  const PqWeight weight = encode_matrix(pruned, 256, {.block_size = 4, .restarts = 1});
  std::vector<std::size_t> sizes(256);
  for (const std::uint16_t code : weight.codes) ++sizes[code];
  EXPECT_LE(std::count(sizes.begin(), sizes.end(), 0u), 12) << "centroids without blocks";
}

TEST(Encode, CodebookValuesAreExactInTheirType) {
  const auto w = test::normal_values(64 * 64, 1);
  const PqWeight weight = encode_matrix(w, 64, {.block_size = 4, .n_centroids = 32});
  ASSERT_EQ(weight.codebook_dtype, DType::kF16);
  for (const float value : weight.codebooks) EXPECT_EQ(f16_to_float(float_to_f16(value)), value);
}

TEST(Encode, CodesAreNearestToTheCodebookWithoutItsGain) {
  const auto w = test::normal_values(64 * 64, 1);
  for (const Gain gain : {Gain::kUnbiased, Gain::kEnergy, Gain::kLeastSquares}) {
    const PqWeight weight = encode_matrix(
        w, 64, {.block_size = 1, .n_centroids = 16, .iterations = 5, .restarts = 1, .gain = gain});
    const std::string key = "gain_factor=";
    const float factor = std::stof(weight.options.substr(weight.options.find(key) + key.size()));
    for (std::size_t i = 0; i < w.size(); ++i) {
      const std::size_t row = i / 64, column = i % 64;
      const float chosen = weight.codebooks[weight.codes[column * 64 + row]] / factor;
      for (const float centroid : weight.codebooks) {
        // The factor is known to 5e-5, codebooks are rounded to 2^-11 of their values.
        EXPECT_LE(std::abs(w[i] - chosen), std::abs(w[i] - centroid / factor) + 6e-3f);
      }
    }
  }
}

TEST(Encode, GroupsHaveCodebooksOfTheirOwn) {
  // The right half is a thousand times the left: a shared codebook of 16 loses the left half.
  auto w = test::normal_values(200 * 16, 21);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= i % 16 < 8 ? 1.0f : 1000.0f;
  PqOptions options{.block_size = 4, .n_centroids = 16, .n_groups = 2};
  const PqWeight grouped = encode_matrix(w, 200, options);
  EXPECT_EQ(grouped.n_groups, 2u);
  const auto v = test::decoded(grouped);
  Distortion left;
  for (std::size_t r = 0; r < 200; ++r) left.add({w.data() + r * 16, 8}, {v.data() + r * 16, 8});
  EXPECT_LT(left.relative_error(), 0.6);
  options.n_groups = 99;
  EXPECT_EQ(encode_matrix(w, 200, options).n_groups, 4u) << "one for each position at most";
}

TEST(Encode, SameBitsOnAnyNumberOfThreadsAndPerSeed) {
  const auto w = test::normal_values(300 * 50, 17);
  PqOptions options{.block_size = 4, .n_centroids = 100, .seed = 5, .restarts = 2};
  omp_set_num_threads(1);
  const PqWeight expected = encode_matrix(w, 300, options);
  for (const int threads : {2, 3}) {
    omp_set_num_threads(threads);
    const PqWeight weight = encode_matrix(w, 300, options);
    EXPECT_EQ(weight.codebooks, expected.codebooks);
    EXPECT_EQ(weight.codes, expected.codes);
  }
  omp_set_num_threads(omp_get_num_procs());
  options.seed = 6;
  EXPECT_NE(encode_matrix(w, 300, options).codebooks, expected.codebooks);
}

TEST(Encode, ObserverCanEndIt) {
  struct Stop : EmObserver {
    void on_iteration(const EmIteration&) override { throw std::runtime_error("enough"); }
  } stop;
  const auto w = test::normal_values(64 * 64, 1);
  EXPECT_THROW(encode_matrix(w, 64, {.block_size = 4, .n_centroids = 32}, &stop),
               std::runtime_error);
}

}  // namespace
}  // namespace pqw
