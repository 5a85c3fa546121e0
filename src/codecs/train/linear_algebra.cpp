// The functions that call BLAS and LAPACK.
#include "codecs/train/linear_algebra.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "codecs/train/blas.h"
#include "core/parallel.h"
#include "pqw/core/error.h"

namespace pqw::linear_algebra {
namespace {

constexpr std::size_t kRowsAtOnce = 256;  // of a product, by one thread

lapack_int as_int(std::size_t n) {
  assert(n <= 0x7fffffff);
  return static_cast<lapack_int>(n);
}

CBLAS_TRANSPOSE as_blas(Op op) { return op == Op::kNone ? CblasNoTrans : CblasTrans; }

void require_converged(lapack_int info, const char* what) {
  if (info == 0) return;
  throw Error(ErrorCode::kUnsupported,
              std::string("LAPACK: ") + what + " does not converge (" + std::to_string(info) + ")");
}

// Some routines never end when a value is NaN.
bool has_nan(const Matrix& a) {
  return std::ranges::any_of(a.values, [](double value) { return std::isnan(value); });
}

void require_numbers(const Matrix& a, const char* what) {
  if (has_nan(a)) throw Error(ErrorCode::kUnsupported, std::string("LAPACK: NaN in ") + what);
}

// Calls routine(work, &length, &info) twice: first with the length -1, to learn how much memory it
// needs, then with that memory. Returns its info.
template <class Routine>
lapack_int with_workspace(const Routine& routine) {
  double n_values = 0;
  lapack_int length = -1, info = 0;
  routine(&n_values, &length, &info);
  if (info != 0) return info;
  std::vector<double> work(static_cast<std::size_t>(n_values));
  length = as_int(work.size());
  routine(work.data(), &length, &info);
  return info;
}

}  // namespace

Matrix transposed(const Matrix& a) {
  Matrix result(a.cols, a.rows);
  for (std::size_t r = 0; r < a.rows; ++r) {
    for (std::size_t c = 0; c < a.cols; ++c) result(c, r) = a(r, c);
  }
  return result;
}

void multiply(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const double* a,
              const double* b, double* c, bool add) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (!add) std::fill_n(c, m * n, 0.0);
    return;
  }
  const Blas& library = blas();
  const std::size_t lda = op_a == Op::kNone ? k : m;
  const std::size_t ldb = op_b == Op::kNone ? n : k;
  const Workers workers(m * n * k, 0.25);
  workers.for_ranges(Division::by_length(m, kRowsAtOnce), [&](const IndexRange& rows, std::size_t) {
    const std::size_t first = rows.begin;
    const double* part = a + first * (op_a == Op::kNone ? lda : 1);
    const BlasCall call;
    library.dgemm(CblasRowMajor, as_blas(op_a), as_blas(op_b), as_int(rows.end - first), as_int(n),
                  as_int(k), 1.0, part, as_int(lda), b, as_int(ldb), add ? 1.0 : 0.0, c + first * n,
                  as_int(n));
  });
}

Matrix multiply(const Matrix& a, Op op_a, const Matrix& b, Op op_b) {
  const std::size_t m = op_a == Op::kNone ? a.rows : a.cols;
  const std::size_t k = op_a == Op::kNone ? a.cols : a.rows;
  const std::size_t n = op_b == Op::kNone ? b.cols : b.rows;
  assert(k == (op_b == Op::kNone ? b.rows : b.cols));
  Matrix c(m, n);
  multiply(op_a, op_b, m, n, k, a.values.data(), b.values.data(), c.values.data());
  return c;
}

void add_gram(std::size_t n, std::size_t k, const double* a, std::size_t lda, double* c) {
  if (n == 0 || k == 0) return;
  const Blas& library = blas();
  const Workers workers(n * n * k, 0.125);
  workers.for_ranges(Division::by_length(n, kRowsAtOnce), [&](const IndexRange& rows, std::size_t) {
    const BlasCall call;
    library.dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, as_int(rows.end - rows.begin),
                  as_int(rows.end), as_int(k), 1.0, a + rows.begin, as_int(lda), a, as_int(lda),
                  1.0, c + rows.begin * n, as_int(n));
  });
}

void add_product(std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t lda,
                 const float* b, std::size_t ldb, float* c, std::size_t ldc) {
  if (m == 0 || n == 0 || k == 0) return;
  const Blas& library = blas();
  const BlasCall call;
  library.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, as_int(m), as_int(n), as_int(k), 1, a,
                as_int(lda), b, as_int(ldb), 1, c, as_int(ldc));
}

// LAPACK reads columns: a row-major matrix is its transpose, so U and Vᵀ change places.
Svd svd(Matrix a) {
  constexpr const char* kWhat = "the singular value decomposition";
  const std::size_t p = std::min(a.rows, a.cols);
  Svd result{Matrix(a.rows, p), std::vector<double>(p), Matrix(p, a.cols)};
  if (p == 0) return result;
  require_numbers(a, kWhat);
  const Blas& library = blas();
  const BlasCall call;
  const lapack_int rows = as_int(a.cols), cols = as_int(a.rows), rank = as_int(p);
  double* const u = result.vt.values.data();
  double* const vt = result.u.values.data();
  std::vector<lapack_int> integers(8 * p);
  const Matrix copy = a;
  lapack_int info = with_workspace([&](double* work, lapack_int* length, lapack_int* status) {
    library.dgesdd("S", &rows, &cols, a.values.data(), &rows, result.s.data(), u, &rows, vt, &rank,
                   work, length, integers.data(), status, 1);
  });
  if (info > 0) {
    a = copy;
    info = with_workspace([&](double* work, lapack_int* length, lapack_int* status) {
      library.dgesvd("S", "S", &rows, &cols, a.values.data(), &rows, result.s.data(), u, &rows, vt,
                     &rank, work, length, status, 1, 1);
    });
  }
  require_converged(info, kWhat);
  return result;
}

Matrix leading_eigenvectors(Matrix symmetric, std::size_t count) {
  constexpr const char* kWhat = "the eigenvalue decomposition";
  const std::size_t n = symmetric.rows;
  assert(symmetric.cols == n && count <= n);
  require_numbers(symmetric, kWhat);
  const Blas& library = blas();
  const BlasCall call;
  const lapack_int size = as_int(n), n_integers = as_int(3 + 5 * n);
  std::vector<lapack_int> integers(3 + 5 * n);
  std::vector<double> eigenvalues(n);  // rising
  lapack_int info = with_workspace([&](double* work, lapack_int* length, lapack_int* status) {
    library.dsyevd("V", "L", &size, symmetric.values.data(), &size, eigenvalues.data(), work,
                   length, integers.data(), &n_integers, status, 1, 1);
  });
  require_converged(info, kWhat);
  Matrix leading(n, count);
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t i = 0; i < n; ++i) leading(i, k) = symmetric(n - 1 - k, i);
  }
  return leading;
}

Matrix orthonormal_columns(Matrix a) {
  constexpr const char* kWhat = "the QR decomposition";
  assert(a.rows >= a.cols);
  require_numbers(a, kWhat);
  const Blas& library = blas();
  const BlasCall call;
  const lapack_int rows = as_int(a.rows), cols = as_int(a.cols);
  a = transposed(a);
  std::vector<double> reflectors(a.rows);
  lapack_int info = with_workspace([&](double* work, lapack_int* length, lapack_int* status) {
    library.dgeqrf(&rows, &cols, a.values.data(), &rows, reflectors.data(), work, length, status);
  });
  require_converged(info, kWhat);
  info = with_workspace([&](double* work, lapack_int* length, lapack_int* status) {
    library.dorgqr(&rows, &cols, &cols, a.values.data(), &rows, reflectors.data(), work, length,
                   status);
  });
  require_converged(info, kWhat);
  return transposed(a);
}

// The upper factor of LAPACK's columns is the lower factor of rows.
bool cholesky(Matrix& a) {
  assert(a.rows == a.cols);
  if (a.rows == 0) return true;
  if (has_nan(a)) return false;
  const Blas& library = blas();
  const BlasCall call;
  const lapack_int size = as_int(a.rows);
  lapack_int info = 0;
  library.dpotrf("U", &size, a.values.data(), &size, &info, 1);
  for (std::size_t r = 0; r < a.rows; ++r) {
    std::fill_n(&a(r, 0) + r + 1, a.cols - r - 1, 0.0);
  }
  return info == 0;
}

bool solve_positive(Matrix a, Matrix& b) {
  const std::size_t n = a.rows;
  assert(a.cols == n && b.cols == n);
  if (has_nan(a) || has_nan(b)) return false;
  const Blas& library = blas();
  const BlasCall call;
  const lapack_int size = as_int(n),
                   n_columns = as_int(b.rows);  // LAPACK sees the rows of b as columns
  lapack_int info = 0;
  library.dpotrf("L", &size, a.values.data(), &size, &info, 1);
  if (info != 0) return false;
  library.dpotrs("L", &size, &n_columns, a.values.data(), &size, b.values.data(), &size, &info, 1);
  return info == 0;
}

}  // namespace pqw::linear_algebra
