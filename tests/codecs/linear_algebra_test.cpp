// BLAS and LAPACK as they are loaded and called.
#include "codecs/train/linear_algebra.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <limits>

#include "codecs/train/blas.h"
#include "pqw/core/error.h"
#include "tests/support/memory_limits.h"
#include "tests/support/random_matrix.h"

// Of Fortran, as FAISS declares it: column-major c = alpha a b + beta c.
extern "C" int sgemm_(const char* op_a, const char* op_b, const int* m, const int* n, const int* k,
                      const float* alpha, const float* a, const int* lda, const float* b,
                      const int* ldb, const float* beta, float* c, const int* ldc);

namespace pqw::linear_algebra {
namespace {

constexpr double kTolerance = 1e-12;

Matrix matrix(std::size_t rows, std::size_t cols, std::vector<double> values) {
  Matrix result(rows, cols);
  result.values = std::move(values);
  return result;
}

Matrix random(std::size_t rows, std::size_t cols) {
  const std::vector<float> values = test::normal_values(rows * cols, 7);
  return matrix(rows, cols, {values.begin(), values.end()});
}

void expect_near(const Matrix& found, const Matrix& expected) {
  ASSERT_EQ(found.rows, expected.rows);
  ASSERT_EQ(found.cols, expected.cols);
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    EXPECT_NEAR(found.values[i], expected.values[i], kTolerance) << i;
  }
}

Matrix identity(std::size_t n) {
  Matrix result(n, n);
  for (std::size_t i = 0; i < n; ++i) result(i, i) = 1;
  return result;
}

TEST(LinearAlgebra, CholeskyFactorIsLower) {
  Matrix a = matrix(2, 2, {4, 2, 2, 10});
  ASSERT_TRUE(cholesky(a));
  expect_near(a, matrix(2, 2, {2, 0, 1, 3}));
  a = matrix(2, 2, {1, 2, 2, 1});
  EXPECT_FALSE(cholesky(a));
  a = matrix(1, 1, {std::numeric_limits<double>::quiet_NaN()});
  EXPECT_FALSE(cholesky(a));
}

TEST(LinearAlgebra, AddsProductsOfPartsOfMatrices) {
  const std::vector<float> a{1, 2, 9, 3, 4, 9}, b{1, 0, 9, 2, 1, 9};
  std::vector<float> c{10, 20, 7, 30, 40, 7};
  add_product(2, 2, 2, a.data(), 3, b.data(), 3, c.data(), 3);
  EXPECT_EQ(c, (std::vector<float>{15, 22, 7, 41, 44, 7}));
}

TEST(LinearAlgebra, SingularValuesFallAndTheFactorsGiveTheMatrixBack) {
  const Svd parts = svd(matrix(3, 2, {0, -2, 3, 0, 0, 0}));
  ASSERT_EQ(parts.s.size(), 2u);
  EXPECT_NEAR(parts.s[0], 3, kTolerance);
  EXPECT_NEAR(parts.s[1], 2, kTolerance);
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{5, 9}, {9, 5}, {1, 4}}) {
    const Matrix a = random(rows, cols);
    Svd of_a = svd(a);
    for (std::size_t r = 0; r < of_a.u.rows; ++r) {
      for (std::size_t c = 0; c < of_a.u.cols; ++c) of_a.u(r, c) *= of_a.s[c];
    }
    expect_near(multiply(of_a.u, Op::kNone, of_a.vt, Op::kNone), a);
  }
}

TEST(LinearAlgebra, LargestEigenvaluesComeFirst) {
  // Eigenvalues 3 and 1, with (1, 1) and (1, -1).
  const Matrix first = leading_eigenvectors(matrix(2, 2, {2, 1, 1, 2}), 1);
  ASSERT_EQ(first.values.size(), 2u);
  EXPECT_NEAR(std::abs(first(0, 0)), std::sqrt(0.5), kTolerance);
  EXPECT_NEAR(first(0, 0), first(1, 0), kTolerance);
}

TEST(LinearAlgebra, BasisIsOrthonormalAndSpansTheColumns) {
  const Matrix a = random(8, 3);
  const Matrix q = orthonormal_columns(a);
  expect_near(multiply(q, Op::kTransposed, q, Op::kNone), identity(3));
  expect_near(multiply(q, Op::kNone, multiply(q, Op::kTransposed, a, Op::kNone), Op::kNone), a);
}

TEST(LinearAlgebra, SolvesPositiveDefiniteSystemsOnly) {
  Matrix b = matrix(1, 2, {8, 7});  // 4 x + 2 y = 8, 2 x + 3 y = 7
  EXPECT_TRUE(solve_positive(matrix(2, 2, {4, 2, 2, 3}), b));
  expect_near(b, matrix(1, 2, {1.25, 1.5}));
  EXPECT_FALSE(solve_positive(matrix(2, 2, {1, 2, 2, 1}), b));
  expect_near(b, matrix(1, 2, {1.25, 1.5}));
}

TEST(LinearAlgebra, NanIsAnErrorAndNotAnEndlessLoop) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Matrix bad = matrix(2, 2, {1, nan, nan, 1});
  EXPECT_THROW(svd(bad), Error);
  EXPECT_THROW(leading_eigenvectors(bad, 1), Error);
  EXPECT_THROW(orthonormal_columns(bad), Error);
  Matrix b = matrix(1, 2, {1, 1});
  EXPECT_FALSE(solve_positive(bad, b));
  Matrix also_bad = matrix(1, 2, {1, nan});
  EXPECT_FALSE(solve_positive(identity(2), also_bad));
}

TEST(Blas, RunsOnOneThreadWhileACallLasts) {
  blas().set_num_threads(2);
  {
    const BlasCall call;
    EXPECT_EQ(blas().get_num_threads(), 1);
  }
  EXPECT_EQ(blas().get_num_threads(), 2);
  blas().set_num_threads(1);
}

TEST(Blas, FunctionsThatFaissLinksToAreThere) {
  const int two = 2;
  const float one = 1, zero = 0, a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  float c[4] = {};
  sgemm_("N", "N", &two, &two, &two, &one, a, &two, b, &two, &zero, c, &two);
  EXPECT_EQ(std::vector<float>(c, c + 4), (std::vector<float>{23, 34, 31, 46}));
}

TEST(Blas, TooLittleMemoryIsAnErrorAndNotAnEndlessLoop) {
  if (!test::can_limit_memory()) GTEST_SKIP() << test::kNoMemoryLimits;
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "sanitizers need more memory than any limit";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process that has not loaded the library
  const auto load = [] {
    const rlimit limit{rlim_t{100} << 20, rlim_t{100} << 20};
    ::setrlimit(RLIMIT_DATA, &limit);
    try {
      (void)blas();
    } catch (const Error& error) {
      std::fputs(error.what(), stderr);
      ::_exit(error.code() == ErrorCode::kIo ? 1 : 2);
    }
    ::_exit(0);
  };
  EXPECT_EXIT(load(), testing::ExitedWithCode(1), "OpenBLAS needs 192 MiB of address space");
}

TEST(LinearAlgebra, AddsTheProductsOfColumnsBelowTheDiagonal) {
  constexpr std::size_t kRows = 5, kCols = 300, kStride = 310;  // several pieces for threads
  std::vector<double> a(kRows * kStride), c(kCols * kCols, 1);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i * 37 % 11) - 5;
  add_gram(kCols, kRows, a.data(), kStride, c.data());
  for (std::size_t i = 0; i < kCols; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double expected = 1;
      for (std::size_t r = 0; r < kRows; ++r) expected += a[r * kStride + i] * a[r * kStride + j];
      ASSERT_EQ(c[i * kCols + j], expected) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace pqw::linear_algebra
