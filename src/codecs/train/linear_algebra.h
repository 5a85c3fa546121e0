// Dense linear algebra in double for the encoders: a few functions that call BLAS and LAPACK.
//
// Every result depends on the arguments alone: BLAS itself runs on one thread, as its sums would
// change with their number, and large products are cut into fixed pieces for OpenMP.
#pragma once

#include <cstddef>
#include <vector>

namespace pqw::linear_algebra {

// Row-major.
struct Matrix {
  Matrix() = default;
  Matrix(std::size_t n_rows, std::size_t n_cols)
      : rows(n_rows), cols(n_cols), values(n_rows * n_cols) {}

  double& operator()(std::size_t r, std::size_t c) { return values[r * cols + c]; }
  double operator()(std::size_t r, std::size_t c) const { return values[r * cols + c]; }

  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> values;
};

Matrix transposed(const Matrix& a);

enum class Op { kNone, kTransposed };

// c = op(a) op(b), or c += op(a) op(b). Layout: op(a) is [m][k], op(b) is [k][n], c is [m][n].
void multiply(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const double* a,
              const double* b, double* c, bool add = false);
Matrix multiply(const Matrix& a, Op op_a, const Matrix& b, Op op_b);

// The lower triangle of c += aᵀ a; values above the diagonal are undefined. Layout: a is [k][n], its
// rows lda doubles apart, c is [n][n].
void add_gram(std::size_t n, std::size_t k, const double* a, std::size_t lda, double* c);

// c += a b, in float, on the calling thread. Layout: a is [m][k], b is [k][n], c is [m][n], row-major
// with adjacent columns; rows are lda, ldb, ldc floats apart.
void add_product(std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t lda,
                 const float* b, std::size_t ldb, float* c, std::size_t ldc);

// a = u diag(s) vt with s falling; u is [m][p], vt is [p][n], p = min(m, n) (LAPACK's gesdd, or
// gesvd where that does not converge). Errors: kUnsupported when neither converges.
struct Svd {
  Matrix u;
  std::vector<double> s;
  Matrix vt;
};
Svd svd(Matrix a);

// The eigenvectors of the `count` largest eigenvalues of a symmetric matrix, the largest first, as
// columns [n][count] (syevd). Errors: kUnsupported when it does not converge.
Matrix leading_eigenvectors(Matrix symmetric, std::size_t count);

// An orthonormal basis of the columns of a, and of more where these do not span as many dimensions:
// the Q of a Householder QR (geqrf, orgqr). REQUIRES: a.rows >= a.cols.
Matrix orthonormal_columns(Matrix a);

// Replaces a symmetric matrix by its lower Cholesky factor l, a = l lᵀ (potrf); values above the
// diagonal become 0. Returns false, and leaves `a` undefined, if it is not positive definite.
bool cholesky(Matrix& a);

// Solves x a = b for x, where a is symmetric and positive definite (posv); b becomes x.
// Returns false, and leaves b as it was, when a is not.
bool solve_positive(Matrix a, Matrix& b);

}  // namespace pqw::linear_algebra
