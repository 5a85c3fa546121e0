// BLAS and LAPACK behind a few functions.
#include "codecs/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cassert>
#include <mutex>

#include "pqw/core/error.h"

namespace pqw::linear_algebra {
namespace {

constexpr std::size_t kRowsAtOnce = 256;   // of a product, by one thread
constexpr double kParallelWork = 1 << 20;  // multiplications that pay for threads

// BLAS on one thread while any such object lives; the number of threads is global to BLAS.
class OneBlasThread {
 public:
  OneBlasThread() {
    const std::lock_guard lock(mutex());
    if (users()++ == 0) {
      before() = openblas_get_num_threads();
      openblas_set_num_threads(1);
    }
  }
  ~OneBlasThread() {
    const std::lock_guard lock(mutex());
    if (--users() == 0) openblas_set_num_threads(before());
  }
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static int& users() {
    static int count = 0;
    return count;
  }
  static int& before() {
    static int threads = 1;
    return threads;
  }
};

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

}  // namespace

void multiply(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const double* a,
              const double* b, double* c, bool add) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (!add) std::fill_n(c, m * n, 0.0);
    return;
  }
  const OneBlasThread scope;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const std::size_t lda = op_a == Op::kNone ? k : m;
  const std::size_t ldb = op_b == Op::kNone ? n : k;
#pragma omp parallel for schedule(static) if (work >= kParallelWork && m > kRowsAtOnce)
  for (std::size_t first = 0; first < m; first += kRowsAtOnce) {
    const double* part = a + first * (op_a == Op::kNone ? lda : 1);
    cblas_dgemm(CblasRowMajor, as_blas(op_a), as_blas(op_b),
                as_int(std::min(kRowsAtOnce, m - first)), as_int(n), as_int(k), 1.0, part,
                as_int(lda), b, as_int(ldb), add ? 1.0 : 0.0, c + first * n, as_int(n));
  }
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

// LAPACK reads columns: a row-major matrix is its transpose, so U and Vᵀ change places.
Svd svd(Matrix a) {
  const std::size_t m = a.rows, n = a.cols, p = std::min(m, n);
  Svd result{Matrix(m, p), std::vector<double>(p), Matrix(p, n)};
  if (p == 0) return result;
  const OneBlasThread scope;
  const Matrix copy = a;
  lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', as_int(n), as_int(m), a.values.data(),
                                   as_int(n), result.s.data(), result.vt.values.data(), as_int(n),
                                   result.u.values.data(), as_int(p));
  if (info > 0) {
    a = copy;
    std::vector<double> rest(p);
    info = LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'S', 'S', as_int(n), as_int(m), a.values.data(),
                          as_int(n), result.s.data(), result.vt.values.data(), as_int(n),
                          result.u.values.data(), as_int(p), rest.data());
  }
  require_converged(info, "the singular value decomposition");
  return result;
}

Matrix leading_eigenvectors(Matrix symmetric, std::size_t count) {
  const std::size_t n = symmetric.rows;
  assert(symmetric.cols == n && count <= n);
  const OneBlasThread scope;
  std::vector<double> eigenvalues(n);  // rising
  require_converged(LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', as_int(n), symmetric.values.data(),
                                   as_int(n), eigenvalues.data()),
                    "the eigenvalue decomposition");
  Matrix leading(n, count);
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t i = 0; i < n; ++i) leading(i, k) = symmetric(n - 1 - k, i);
  }
  return leading;
}

Matrix orthonormal_columns(Matrix a) {
  assert(a.rows >= a.cols);
  const OneBlasThread scope;
  std::vector<double> reflectors(a.cols);
  require_converged(LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, as_int(a.rows), as_int(a.cols),
                                   a.values.data(), as_int(a.cols), reflectors.data()),
                    "the QR decomposition");
  require_converged(LAPACKE_dorgqr(LAPACK_ROW_MAJOR, as_int(a.rows), as_int(a.cols), as_int(a.cols),
                                   a.values.data(), as_int(a.cols), reflectors.data()),
                    "the QR decomposition");
  return a;
}

bool solve_positive(Matrix a, Matrix& b) {
  const std::size_t n = a.rows;
  assert(a.cols == n && b.cols == n);
  const OneBlasThread scope;
  // The rows of b are the columns that LAPACK sees.
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', as_int(n), a.values.data(), as_int(n)) != 0) {
    return false;
  }
  return LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', as_int(n), as_int(b.rows), a.values.data(),
                        as_int(n), b.values.data(), as_int(n)) == 0;
}

}  // namespace pqw::linear_algebra
