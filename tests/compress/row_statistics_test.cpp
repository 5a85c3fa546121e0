#include "compress/row_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;

InputStatistics statistics_of(const std::vector<float>& x, std::size_t cols, std::size_t block,
                              const std::vector<std::uint64_t>& held_out) {
  RowStatistics statistics(cols, block, held_out);
  for (std::size_t i = 0; i < x.size(); i += cols) {
    std::copy_n(&x[i], cols, statistics.next_row().begin());
    statistics.add_row();
  }
  return statistics.finish();
}

// Rows (1, 2), (3, 0), (5, 4); the second is held out.
TEST(RowStatistics, ByHand) {
  const InputStatistics found = statistics_of({1, 2, 3, 0, 5, 4}, 2, 2, {1});
  EXPECT_EQ(found.n_rows, 2u);
  EXPECT_THAT(found.means, ElementsAre(3, 3));
  EXPECT_THAT(found.second_moments, ElementsAre(13, 10));
  EXPECT_THAT(found.gram, ElementsAre(13, 11, 11, 10));
  EXPECT_THAT(found.held_out, ElementsAre(3, 0));
  EXPECT_EQ(found.n_held_out(), 1u);
}

TEST(RowStatistics, WithoutGram) {
  const InputStatistics found = statistics_of({1, 2, 3, 0}, 2, 0, {});
  EXPECT_EQ(found.gram_block, 0u);
  EXPECT_TRUE(found.gram.empty());
  EXPECT_THAT(found.means, ElementsAre(2, 1));
}

// More rows than wait for their products at once, and blocks that do not divide the columns.
TEST(RowStatistics, EqualNaiveSumsOnAnyNumberOfThreads) {
  constexpr std::size_t kCols = 19, kRows = 1203;
  const std::vector<float> x = test::normal_values(kRows * kCols, 3, 0.5f);
  const std::vector<std::uint64_t> held_out = held_out_rows(kRows, 40, 7);
  const std::set<std::uint64_t> apart(held_out.begin(), held_out.end());
  for (const std::size_t block : {1, 8, 19}) {
    std::vector<double> means(kCols), products(kCols * kCols);
    std::vector<float> rows_apart;
    for (std::size_t r = 0; r < kRows; ++r) {
      if (apart.contains(r)) {
        rows_apart.insert(rows_apart.end(), &x[r * kCols], &x[r * kCols] + kCols);
        continue;
      }
      for (std::size_t i = 0; i < kCols; ++i) {
        means[i] += x[r * kCols + i];
        for (std::size_t j = 0; j < kCols; ++j) {
          products[i * kCols + j] += double{x[r * kCols + i]} * x[r * kCols + j];
        }
      }
    }
    const auto n = static_cast<double>(kRows - apart.size());
    const InputStatistics found = statistics_of(x, kCols, block, held_out);
    EXPECT_EQ(found.n_rows, kRows - apart.size());
    EXPECT_EQ(found.held_out, rows_apart);
    std::size_t at = 0;
    for (std::size_t first = 0; first < kCols; first += block) {
      const std::size_t end = std::min(first + block, kCols);
      for (std::size_t i = first; i < end; ++i) {
        EXPECT_NEAR(found.means[i], means[i] / n, 1e-12);
        EXPECT_NEAR(found.second_moments[i], products[i * kCols + i] / n, 1e-12);
        for (std::size_t j = first; j < end; ++j) {
          EXPECT_NEAR(found.gram.at(at++), products[i * kCols + j] / n, 1e-6);
        }
      }
    }
    EXPECT_EQ(at, found.gram.size());
    const int n_threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const InputStatistics one = statistics_of(x, kCols, block, held_out);
    omp_set_num_threads(n_threads);
    EXPECT_EQ(one.gram, found.gram);
    EXPECT_EQ(one.means, found.means);
  }
}

TEST(HeldOutRows, AreDistinctAndAscendingAndAnEighthAtMost) {
  for (const std::uint64_t n : {0, 7, 16, 100, 5000}) {
    const std::vector<std::uint64_t> rows = held_out_rows(n, 256, 1);
    EXPECT_EQ(rows.size(), std::min<std::uint64_t>(n / 8, 256));
    EXPECT_TRUE(std::ranges::is_sorted(rows));
    EXPECT_EQ(std::set(rows.begin(), rows.end()).size(), rows.size());
    if (!rows.empty()) {
      EXPECT_LT(rows.back(), n);
    }
  }
}

TEST(HeldOutRows, DependOnTheSeedAlone) {
  EXPECT_EQ(held_out_rows(1000, 20, 1), held_out_rows(1000, 20, 1));
  EXPECT_NE(held_out_rows(1000, 20, 1), held_out_rows(1000, 20, 2));
}

// Of 8 rows one is held out; each as often, to within five standard deviations.
TEST(HeldOutRows, AreUniform) {
  std::vector<int> counts(8);
  for (std::uint64_t seed = 0; seed < 8000; ++seed) ++counts[held_out_rows(8, 256, seed).at(0)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace pqw
