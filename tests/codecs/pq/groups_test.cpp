// The number of groups that pays.
#include "codecs/pq/train/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "pqw/codecs/encode.h"
#include "tests/support/random_matrix.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

// Normal values, times the deviation of their column.
template <class Deviation>
std::vector<float> columns_of(std::size_t rows, std::size_t cols, const Deviation& deviation) {
  auto w = test::normal_values(rows * cols, 5);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= static_cast<float>(deviation(i % cols));
  return w;
}

PqWeight encoded(const std::vector<float>& w, std::size_t rows, PqOptions options,
                 std::size_t n_groups = kAutoGroups) {
  options.n_groups = n_groups;
  return pq_from_float(ConstMatrix(w.data(), rows, w.size() / rows), options);
}

// error * 4^(bits of float16 codebooks per weight), from a full run.
double score(const std::vector<float>& w, std::size_t rows, const PqOptions& options,
             std::size_t n_groups) {
  const auto v = test::decoded(encoded(w, rows, options, n_groups));
  const double bits = 16.0 *
                      static_cast<double>(n_groups * options.n_centroids * options.block_size) /
                      static_cast<double>(w.size());
  return test::squared_distance(w.data(), v.data(), w.size()) * std::pow(4, bits);
}

// Blocks of 2 that are long in one direction, in the right half of the columns in the other one.
double crossed(std::size_t col) { return (col % 2 == 0) == (col < 4) ? 1 : 8; }

TEST(Groups, OneIsEnoughForColumnsThatAreAlike) {
  const auto w = columns_of(512, 8, [](std::size_t) { return 1; });
  EXPECT_EQ(encoded(w, 512, {.block_size = 2, .n_centroids = 16}).n_groups, 1u);
}

TEST(Groups, AsManyAsMakeTheErrorZero) {
  // Four values, two in each half: two codebooks of two centroids hold them all.
  std::vector<float> w;
  for (std::size_t i = 0; i < 512; ++i)
    w.push_back((i % 8 < 4 ? 1.f : 10.f) * (i % 3 ? 1.f : -1.f));
  const PqOptions options{.block_size = 1, .n_centroids = 2};
  const PqWeight weight = encoded(w, 64, options);
  EXPECT_EQ(weight.n_groups, 2u);
  EXPECT_EQ(test::decoded(weight), w);
}

TEST(Groups, HaveTheLeastErrorForTheirBits) {
  const auto w = columns_of(512, 32, [](std::size_t col) { return std::exp2(col / 8); });
  const PqOptions options{.block_size = 2, .n_centroids = 32, .gain = Gain::kLeastSquares};
  const std::size_t chosen = encoded(w, 512, options).n_groups;
  EXPECT_GT(chosen, 1u);
  const double least = score(w, 512, options, chosen);
  for (std::size_t n = 1; n <= 16; n *= 2) EXPECT_LE(least, 1.01 * score(w, 512, options, n)) << n;
}

TEST(Groups, CountTheErrorsOfRowsByTheirScales) {
  // Two codebooks pay for the first 256 rows, not for the others.
  auto w = columns_of(256, 8, crossed);
  const auto others = test::normal_values(768 * 8, 6);
  w.insert(w.end(), others.begin(), others.end());
  PqOptions options{.block_size = 2, .n_centroids = 16, .n_groups = kAutoGroups};
  PqCodec::resolve(options, Shape{1024, 8});
  const Blocks blocks = cut_blocks(ConstMatrix(w.data(), 1024, 8), 2);
  std::vector<float> scales(1024, 1e-3f);
  std::fill_n(scales.begin(), 256, 1.0f);
  EXPECT_EQ(choose_groups(blocks, scales, options), 2u);
  for (float& scale : scales) scale = 1e-3f / scale;
  EXPECT_EQ(choose_groups(blocks, scales, options), 1u);
}

TEST(Groups, AreRecordedAsTheirNumber) {
  const auto w = columns_of(512, 8, crossed);
  const PqOptions options{.block_size = 2, .n_centroids = 16, .n_groups = kAutoGroups};
  const PqWeight weight = encoded(w, 512, options);
  EXPECT_EQ(weight.n_groups, 2u);
  EXPECT_THAT(weight.options, testing::HasSubstr(",groups=2,"));
  EXPECT_EQ(remarks_on(weight, options), "");
  EXPECT_THAT(to_string(options), testing::HasSubstr(",groups=auto,"));
  EXPECT_EQ(weight.codes, encoded(w, 512, options, 2).codes);
}

TEST(Groups, AreTheSameOnAnyNumberOfThreads) {
  const auto w = columns_of(512, 8, crossed);
  const PqOptions options{.block_size = 2, .n_centroids = 16};
  omp_set_num_threads(1);
  const PqWeight one = encoded(w, 512, options);
  omp_set_num_threads(3);
  const PqWeight three = encoded(w, 512, options);
  omp_set_num_threads(omp_get_num_procs());
  EXPECT_EQ(three.options, one.options);
  EXPECT_EQ(three.codes, one.codes);
}

TEST(Groups, OfFewBlocksIsOne) {
  EXPECT_EQ(encoded({1, 2, 3, 4}, 1, {.block_size = 1, .n_centroids = 4}).n_groups, 1u);
  EXPECT_EQ(encoded(std::vector<float>(4096), 64, {.block_size = 2, .n_centroids = 4}).n_groups,
            1u);
}

}  // namespace
}  // namespace pqw
