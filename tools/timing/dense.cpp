// Dense float32 products by OpenBLAS, with which serving is compared.
#include "timing/dense.h"

#include <algorithm>
#include <cmath>

#include "codecs/train/blas.h"
#include "pqw/core/error.h"
#include "timing/threads.h"

namespace pqw::timing {
namespace {

using linear_algebra::blas;

blasint size(std::size_t n) { return static_cast<blasint>(n); }

}  // namespace

const char* blas_name(DenseMethod method) {
  return method == DenseMethod::kGemm ? "sgemm" : "sgemv";
}

void multiply_dense(DenseMethod method, ConstMatrix w, ConstMatrix x, MutableMatrix y) {
  const blasint rows = size(w.rows()), cols = size(w.cols());
  if (method == DenseMethod::kGemm) {
    blas().sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size(x.rows()), rows, cols, 1.0f,
                 x.data(), cols, w.data(), cols, 0.0f, y.data(), rows);
    return;
  }
  for (std::size_t b = 0; b < x.rows(); ++b) {
    blas().sgemv(CblasRowMajor, CblasNoTrans, rows, cols, 1.0f, w.data(), cols, x.row(b).data(), 1,
                 0.0f, y.row(b).data(), 1);
  }
}

std::vector<double> multiply_in_double(ConstMatrix w, ConstMatrix x) {
  constexpr std::size_t kRowsAtOnce = 256;  // of w, as doubles
  const std::size_t cols = w.cols();
  const std::vector<double> wide_x(x.data(), x.data() + x.rows() * cols);
  std::vector<double> wide_w, y(x.rows() * w.rows());
  for (std::size_t first = 0; first < w.rows(); first += kRowsAtOnce) {
    const std::size_t n = std::min(kRowsAtOnce, w.rows() - first);
    const float* from = w.data() + first * cols;
    wide_w.assign(from, from + n * cols);
    blas().dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size(x.rows()), size(n), size(cols), 1.0,
                 wide_x.data(), size(cols), wide_w.data(), size(cols), 0.0, y.data() + first,
                 size(w.rows()));
  }
  return y;
}

double relative_error(const std::vector<float>& y, const std::vector<double>& expected) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double difference = y[i] - expected[i];
    error += difference * difference;
    norm += expected[i] * expected[i];
  }
  return error == 0 ? 0 : std::sqrt(error / norm);
}

std::string blas_core() { return blas().core_name(); }

void set_blas_threads(std::size_t n_threads) {
  // OpenBLAS starts threads of its own besides the threads of OpenMP. If it cannot start one, or
  // has no buffer for it, it waits for ever.
  start_openmp_threads();
  n_threads = std::min(n_threads, linear_algebra::kMostBuffers);
  if (n_threads > blas().n_buffers || creatable_threads(n_threads - 1) < n_threads - 1) {
    throw Error(ErrorCode::kIo, "the limits of this process (ulimit -u, -v, -d) do not allow " +
                                    std::to_string(n_threads) +
                                    " threads of OpenBLAS; use fewer (--threads)");
  }
  blas().set_num_threads(static_cast<int>(n_threads));
}

}  // namespace pqw::timing
