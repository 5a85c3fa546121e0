// The largest singular values of a matrix and their vectors.
#include "codecs/low_rank/train/truncated_svd.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

#include "codecs/train/random.h"

namespace pqw {
namespace {

using linear_algebra::Matrix;
using linear_algebra::multiply;
using linear_algebra::Op;

// Columns of the basis beyond the rank, and products by x xᵀ: what keeps the error within 1 % of
// the best even where the singular values hardly fall (`scripts/bench low_rank`).
constexpr std::size_t kMoreColumns = 10;
constexpr std::size_t kPowerIterations = 3;
std::size_t basis_size(std::size_t rank, std::size_t side) {
  return std::min(side, rank + rank / 2 + kMoreColumns);
}

// Independent normal values (Box and Muller 1958), the same with every standard library.
Matrix normal_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Matrix matrix(rows, cols);
  Random random(seed);
  for (double& value : matrix.values) {
    const double radius = std::sqrt(-2 * std::log(1 - unit(random)));
    value = radius * std::cos(2 * std::numbers::pi * unit(random));
  }
  return matrix;
}

double squares(const double* values, std::size_t n) {
  return std::inner_product(values, values + n, values, 0.0);
}

}  // namespace

TruncatedSvd full_svd(const Matrix& a) {
  linear_algebra::Svd all = linear_algebra::svd(a);
  TruncatedSvd result{std::move(all.u), std::move(all.s), std::move(all.vt), 0, 0.0};
  result.all_squares = squares(result.s.data(), result.s.size());
  result.all_values = std::accumulate(result.s.begin(), result.s.end(), 0.0);
  return result;
}

void keep(TruncatedSvd& svd, std::size_t rank) {
  assert(rank <= svd.s.size());
  Matrix u(svd.u.rows, rank);
  for (std::size_t r = 0; r < u.rows; ++r) {
    std::copy_n(&svd.u.values[r * svd.u.cols], rank, &u.values[r * rank]);
  }
  svd.u = std::move(u);
  svd.s.resize(rank);
  svd.vt.values.resize(rank * svd.vt.cols);
  svd.vt.rows = rank;
}

// The basis is one of the columns of the smaller side, p; the other side is q. For a wide matrix
// x = a, for a tall one x = aᵀ; x is [p][q] either way.
TruncatedSvd randomized_svd(const Matrix& a, std::size_t rank, std::uint64_t seed) {
  const bool wide = a.rows <= a.cols;
  const std::size_t p = std::min(a.rows, a.cols);
  const std::size_t q = std::max(a.rows, a.cols);
  assert(rank <= p);
  const Op x = wide ? Op::kNone : Op::kTransposed;
  const Op x_transposed = wide ? Op::kTransposed : Op::kNone;
  Matrix basis = normal_matrix(p, basis_size(rank, p), seed);
  for (std::size_t i = 0; i < kPowerIterations; ++i) {
    const Matrix back = multiply(a, x_transposed, basis, Op::kNone);  // [q][l]
    basis = linear_algebra::orthonormal_columns(multiply(a, x, back, Op::kNone));
  }
  const Matrix projected = multiply(basis, Op::kTransposed, a, x);  // [l][q]
  const Matrix rotation = linear_algebra::leading_eigenvectors(
      multiply(projected, Op::kNone, projected, Op::kTransposed), rank);     // [l][rank]
  Matrix left = multiply(basis, Op::kNone, rotation, Op::kNone);             // [p][rank]
  Matrix right = multiply(rotation, Op::kTransposed, projected, Op::kNone);  // [rank][q], times s
  TruncatedSvd result;
  result.all_squares = squares(a.values.data(), a.values.size());
  for (std::size_t k = 0; k < rank; ++k) {
    double* row = &right.values[k * q];
    const double s = std::sqrt(squares(row, q));
    for (std::size_t c = 0; c < q; ++c) row[c] = s > 0 ? row[c] / s : 0;
    result.s.push_back(s);
  }
  result.u = wide ? std::move(left) : transposed(right);
  result.vt = wide ? std::move(right) : transposed(left);
  return result;
}

}  // namespace pqw
