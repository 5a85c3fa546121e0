#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "codecs/tensorized/train/decompose.h"
#include "codecs/tensorized/value/layout.h"
#include "tests/support/random_matrix.h"

namespace pqw::tensorized {
namespace {

using testing::ElementsAre;

Tensor random_tensor(const Shape& shape, unsigned seed) {
  const std::vector<float> values = test::normal_values(product(shape), seed);
  return {shape, {values.begin(), values.end()}};
}

Matrix random_matrix(std::size_t rows, std::size_t cols, unsigned seed) {
  Matrix matrix(rows, cols);
  const std::vector<float> values = test::normal_values(rows * cols, seed);
  std::ranges::copy(values, matrix.values.begin());
  return matrix;
}

// A tensor by its definition: value(digits) for all of them.
Tensor built(const Shape& shape, const std::function<double(const Shape& digits)>& value) {
  Tensor tensor{shape, std::vector<double>(product(shape))};
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    Shape digits(shape.size());
    for (std::size_t k = shape.size(), number = i; k-- > 0; number /= shape[k]) {
      digits[k] = number % shape[k];
    }
    tensor.values[i] = value(digits);
  }
  return tensor;
}

Tensor from_cp(const Shape& shape, const std::vector<Matrix>& factors) {
  return built(shape, [&](const Shape& digits) {
    double sum = 0;
    for (std::size_t r = 0; r < factors[0].cols; ++r) {
      double term = 1;
      for (std::size_t k = 0; k < shape.size(); ++k) term *= factors[k](digits[k], r);
      sum += term;
    }
    return sum;
  });
}

Tensor from_tucker(const Shape& shape, const std::vector<Matrix>& factors, const Tensor& core) {
  return built(shape, [&](const Shape& digits) {
    double sum = 0;
    for (std::size_t i = 0; i < core.values.size(); ++i) {
      double term = core.values[i];
      for (std::size_t k = shape.size(), number = i; k-- > 0; number /= core.shape[k]) {
        term *= factors[k](digits[k], number % core.shape[k]);
      }
      sum += term;
    }
    return sum;
  });
}

Tensor from_train(const Shape& shape, const std::vector<std::size_t>& ranks,
                  const std::vector<std::vector<double>>& cores) {
  return built(shape, [&](const Shape& digits) {
    std::vector<double> row{1};
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const std::size_t behind = k < ranks.size() ? ranks[k] : 1;
      std::vector<double> next(behind);
      for (std::size_t a = 0; a < row.size(); ++a) {
        for (std::size_t b = 0; b < behind; ++b) {
          next[b] += row[a] * cores[k][(a * shape[k] + digits[k]) * behind + b];
        }
      }
      row = next;
    }
    return row[0];
  });
}

std::vector<std::vector<double>> random_cores(const Shape& shape,
                                              const std::vector<std::size_t>& ranks) {
  std::vector<std::vector<double>> cores;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const std::size_t before = k == 0 ? 1 : ranks[k - 1];
    const std::size_t behind = k < ranks.size() ? ranks[k] : 1;
    cores.push_back(random_matrix(before * shape[k], behind, static_cast<unsigned>(20 + k)).values);
  }
  return cores;
}

double distance(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    sum += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  }
  return std::sqrt(sum);
}

double norm(const Tensor& tensor) { return std::sqrt(squared_norm(tensor)); }

constexpr Effort kEffort{.iterations = 500, .restarts = 4, .tolerance = 0, .seed = 1};

TEST(TensorizedTensor, ModesArePermutedByDefinition) {
  const Tensor tensor = random_tensor({2, 3, 4, 5}, 1);
  const Tensor result = permuted(tensor, {2, 0, 3, 1});
  EXPECT_THAT(result.shape, ElementsAre(4, 2, 5, 3));
  for (std::size_t a = 0; a < 2; ++a) {
    for (std::size_t b = 0; b < 3; ++b) {
      for (std::size_t c = 0; c < 4; ++c) {
        for (std::size_t d = 0; d < 5; ++d) {
          EXPECT_EQ(result.values[((c * 2 + a) * 5 + d) * 3 + b],
                    tensor.values[((a * 3 + b) * 4 + c) * 5 + d]);
        }
      }
    }
  }
}

TEST(TensorizedTrain, TensorsOfThoseRanksComeBack) {
  const Shape shape{4, 3, 5, 6, 2};
  const std::vector<std::size_t> ranks{3, 4, 5, 2};
  const Tensor tensor = from_train(shape, ranks, random_cores(shape, ranks));
  const Train train = decompose_train(tensor, ranks);
  EXPECT_LE(distance(from_train(shape, ranks, train.cores), tensor), 1e-12 * norm(tensor));
  for (const double discarded : train.discarded) EXPECT_LE(discarded, 1e-12 * norm(tensor));
}

TEST(TensorizedTrain, FullRanksHoldAnyTensor) {
  const Shape shape{3, 4, 5, 2};
  const auto ranks = largest_train_ranks(shape);
  EXPECT_THAT(ranks, ElementsAre(3, 10, 2));
  const Tensor tensor = random_tensor(shape, 5);
  EXPECT_LE(distance(from_train(shape, ranks, decompose_train(tensor, ranks).cores), tensor),
            1e-12 * norm(tensor));
}

// Oseledets 2011, theorem 2.2; and as the steps project one after the other, equality.
TEST(TensorizedTrain, ErrorIsWhatTheStepsCutOff) {
  const Shape shape{4, 6, 5, 3, 4};
  for (const std::size_t rank : {1u, 2u, 3u}) {
    const Tensor tensor = random_tensor(shape, static_cast<unsigned>(rank));
    const std::vector<std::size_t> ranks(4, rank);
    const Train train = decompose_train(tensor, ranks);
    double bound = 0;
    for (const double discarded : train.discarded) bound += discarded * discarded;
    const double error = distance(from_train(shape, ranks, train.cores), tensor);
    EXPECT_NEAR(error, std::sqrt(bound), 1e-10 * norm(tensor));
    EXPECT_GT(error, 0.1 * norm(tensor));
  }
}

// [[1, 2], [2, 4]] = (1, 2) (1, 2)ᵀ has rank 1; a diagonal has the error of what is left out.
TEST(TensorizedTrain, MatricesByHand) {
  const Tensor rank_one{{2, 2}, {1, 2, 2, 4}};
  const Train train = decompose_train(rank_one, {1});
  EXPECT_LE(distance(from_train({2, 2}, {1}, train.cores), rank_one), 1e-14);
  const Tensor diagonal{{2, 2}, {3, 0, 0, 4}};
  const Train one = decompose_train(diagonal, {1});
  EXPECT_NEAR(one.discarded[0], 3, 1e-14);
  EXPECT_LE(distance(from_train({2, 2}, {1}, one.cores), {{2, 2}, {0, 0, 0, 4}}), 1e-14);
}

TEST(TensorizedTucker, TensorsOfThoseRanksComeBack) {
  const Shape shape{5, 4, 6, 3};
  const std::vector<std::size_t> ranks{2, 3, 4, 2};
  std::vector<Matrix> factors;
  for (std::size_t k = 0; k < 4; ++k) {
    factors.push_back(random_matrix(shape[k], ranks[k], static_cast<unsigned>(k + 1)));
  }
  const Tensor tensor = from_tucker(shape, factors, random_tensor(ranks, 9));
  for (const std::size_t iterations : {0u, 10u}) {
    const Tucker tucker = decompose_tucker(tensor, ranks, {iterations, 1, 0, 0});
    EXPECT_LE(distance(from_tucker(shape, tucker.factors, tucker.core), tensor),
              1e-7 * norm(tensor));
  }
}

// The tails of each mode's singular values: an unfolding may lose no less, HOSVD together no more
// than Σ of them (De Lathauwer et al. 2000a, property 10); HOOI starts there and gains.
TEST(TensorizedTucker, HosvdIsQuasiOptimalAndHooiBetter) {
  const Shape shape{6, 5, 7, 4};
  const std::vector<std::size_t> ranks{2, 3, 2, 3};
  const Tensor tensor = random_tensor(shape, 3);
  double largest_tail = 0, sum_of_tails = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    Matrix unfolding(shape[k], tensor.values.size() / shape[k]);
    std::vector<std::size_t> order{k};
    for (std::size_t l = 0; l < 4; ++l) {
      if (l != k) order.push_back(l);
    }
    unfolding.values = permuted(tensor, order).values;
    const auto s = linear_algebra::svd(unfolding).s;
    double tail = 0;
    for (std::size_t r = ranks[k]; r < s.size(); ++r) tail += s[r] * s[r];
    largest_tail = std::max(largest_tail, tail);
    sum_of_tails += tail;
  }
  const auto error = [&](std::size_t iterations) {
    const Tucker tucker = decompose_tucker(tensor, ranks, {iterations, 1, 0, 0});
    return std::pow(distance(from_tucker(shape, tucker.factors, tucker.core), tensor), 2);
  };
  const double hosvd = error(0), hooi = error(20);
  EXPECT_LE(hosvd, sum_of_tails);
  EXPECT_GE(hooi, largest_tail * (1 - 1e-12));
  EXPECT_LT(hooi, hosvd);
  EXPECT_LE(hosvd, 4 * hooi);  // sqrt(N) of the best in norm: N of it in squares
}

TEST(TensorizedTucker, BasesAreOrthonormal) {
  const Tucker tucker = decompose_tucker(random_tensor({5, 6, 4}, 2), {3, 2, 4}, kEffort);
  for (const Matrix& factor : tucker.factors) {
    const Matrix gram =
        multiply(factor, linear_algebra::Op::kTransposed, factor, linear_algebra::Op::kNone);
    for (std::size_t i = 0; i < gram.rows; ++i) {
      for (std::size_t j = 0; j < gram.cols; ++j) EXPECT_NEAR(gram(i, j), i == j, 1e-12);
    }
  }
}

class TensorizedCp : public testing::TestWithParam<std::pair<Shape, std::size_t>> {};

TEST_P(TensorizedCp, TensorsOfThatRankComeBack) {
  const auto& [shape, rank] = GetParam();
  std::vector<Matrix> factors;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    factors.push_back(random_matrix(shape[k], rank, static_cast<unsigned>(k + 1)));
  }
  const Tensor tensor = from_cp(shape, factors);
  const auto found = decompose_cp(tensor, shape.size() / 2, rank, kEffort);
  EXPECT_LE(distance(from_cp(shape, found), tensor), 1e-5 * norm(tensor));
}

INSTANTIATE_TEST_SUITE_P(Shapes, TensorizedCp,
                         testing::Values(std::pair(Shape{4, 5}, 2u), std::pair(Shape{6, 5, 7}, 1u),
                                         std::pair(Shape{6, 5, 7}, 4u),
                                         std::pair(Shape{4, 3, 5, 4}, 3u),
                                         std::pair(Shape{3, 2, 4, 3, 2, 3}, 5u)));

// e1⊗e1⊗e1 + 2 e2⊗e2⊗e2: the best term of rank 1 is the larger one, error 1.
TEST(TensorizedCp, TheLargerOfTwoOrthogonalTermsIsFound) {
  const Tensor tensor{{2, 2, 2}, {1, 0, 0, 0, 0, 0, 0, 2}};
  const auto found = decompose_cp(tensor, 1, 1, kEffort);
  EXPECT_LE(distance(from_cp({2, 2, 2}, found), {{2, 2, 2}, {0, 0, 0, 0, 0, 0, 0, 2}}), 1e-6);
}

TEST(TensorizedCp, RanksAboveWhatIsThereAndZerosAreHarmless) {
  const Tensor tensor = random_tensor({2, 3, 2}, 4);
  const auto found = decompose_cp(tensor, 1, 20, kEffort);
  EXPECT_LE(distance(from_cp({2, 3, 2}, found), tensor), 1e-5 * norm(tensor));
  const Tensor zeros{{2, 3, 2}, std::vector<double>(12)};
  EXPECT_EQ(norm(from_cp({2, 3, 2}, decompose_cp(zeros, 1, 3, kEffort))), 0);
}

TEST(TensorizedDecompose, BitsDoNotDependOnTheThreads) {
  const Tensor tensor = random_tensor({12, 20, 16, 30}, 7);
  const Effort effort{.iterations = 3, .restarts = 1, .tolerance = 0, .seed = 1};
  const auto run = [&](int threads) {
    omp_set_num_threads(threads);
    std::vector<double> all;
    for (const auto& core : decompose_train(tensor, {6, 20, 7}).cores) {
      all.insert(all.end(), core.begin(), core.end());
    }
    for (const Matrix& factor : decompose_cp(tensor, 2, 70, effort)) {
      all.insert(all.end(), factor.values.begin(), factor.values.end());
    }
    const Tucker tucker = decompose_tucker(tensor, {5, 5, 5, 5}, effort);
    all.insert(all.end(), tucker.core.values.begin(), tucker.core.values.end());
    return all;
  };
  const std::vector<double> expected = run(1);
  EXPECT_TRUE(run(2) == expected);
  EXPECT_TRUE(run(3) == expected);
  omp_set_num_threads(omp_get_num_procs());
}

}  // namespace
}  // namespace pqw::tensorized
