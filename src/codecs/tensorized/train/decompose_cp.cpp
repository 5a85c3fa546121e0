// CP by alternating least squares.
#include <algorithm>
#include <cmath>

#include "codecs/tensorized/train/decompose.h"
#include "codecs/tensorized/value/layout.h"
#include "codecs/train/random.h"
#include "core/parallel.h"

namespace pqw::tensorized {
namespace {

using linear_algebra::Op;

constexpr double kProximal = 1e-8;  // μ, relative to the mean of the diagonal of the equations
constexpr std::size_t kPart = 64;   // columns of one thread
constexpr std::size_t kLeastSweeps = 5;  // the first ones may change little

// Row i of the result, i = (i_1, ..., i_n), is the product of the rows i_k of the factors.
Matrix khatri_rao(std::span<const Matrix> factors) {
  const std::size_t rank = factors[0].cols;
  Matrix result(1, rank);
  std::ranges::fill(result.values, 1.0);
  for (const Matrix& factor : factors) {
    Matrix next(result.rows * factor.rows, rank);
    for (std::size_t row = 0; row < next.rows; ++row) {
      for (std::size_t r = 0; r < rank; ++r) {
        next(row, r) = result(row / factor.rows, r) * factor(row % factor.rows, r);
      }
    }
    result = std::move(next);
  }
  return result;
}

// Σ over all digits but those of mode k: partial[i_1 ... i_n][r] Π_(l != k) factors[l][i_l][r].
Matrix contract_others(const Matrix& partial, std::span<const Matrix> factors, std::size_t k) {
  const std::size_t rank = partial.cols;
  Matrix result(factors[k].rows, rank);
  const Workers workers(partial.values.size(), 4);
  workers.for_ranges(Division::by_length(rank, kPart), [&](const IndexRange& range, std::size_t) {
    const std::size_t first = range.begin;
    const std::size_t count = range.end - first;
    double weights[kPart];
    for (std::size_t row = 0; row < partial.rows; ++row) {
      std::fill_n(weights, count, 1.0);
      std::size_t digit = 0;
      for (std::size_t l = factors.size(), number = row; l-- > 0; number /= factors[l].rows) {
        if (l == k) {
          digit = number % factors[l].rows;
          continue;
        }
        const double* factor = &factors[l].values[number % factors[l].rows * rank + first];
        for (std::size_t r = 0; r < count; ++r) weights[r] *= factor[r];
      }
      const double* from = &partial.values[row * rank + first];
      double* to = &result.values[digit * rank + first];
      for (std::size_t r = 0; r < count; ++r) to[r] += from[r] * weights[r];
    }
  });
  return result;
}

// One start, improved.
class AlternatingLeastSquares {
 public:
  AlternatingLeastSquares(const Tensor& tensor, double norm, std::size_t n_row_modes,
                          std::vector<Matrix> start)
      : tensor_(tensor), norm_(norm), n_row_modes_(n_row_modes), factors_(std::move(start)) {
    for (const Matrix& factor : factors_) grams_.push_back(gram(factor));
  }

  void run(const Effort& effort) {
    for (std::size_t i = 0; i < effort.iterations; ++i) {
      const double before = error_;
      sweep_side(true);
      sweep_side(false);
      spread_norms();
      if (i >= kLeastSweeps && before - error_ < effort.tolerance) break;
    }
  }

  double error() const { return error_; }  // ‖T - T̂‖ / ‖T‖ after the last sweep
  std::vector<Matrix>& factors() { return factors_; }

 private:
  static Matrix gram(const Matrix& factor) {
    return multiply(factor, Op::kTransposed, factor, Op::kNone);
  }

  std::span<const Matrix> side(bool rows) const {
    const std::span<const Matrix> all(factors_);
    return rows ? all.first(n_row_modes_) : all.subspan(n_row_modes_);
  }

  // Contracts the other side once, then updates the modes of this one.
  void sweep_side(bool rows) {
    const Matrix others = khatri_rao(side(!rows));
    const std::size_t n_rows = product(std::span(tensor_.shape).first(n_row_modes_));
    const std::size_t n_cols = tensor_.values.size() / n_rows;
    Matrix partial(rows ? n_rows : n_cols, others.cols);
    linear_algebra::multiply(rows ? Op::kNone : Op::kTransposed, Op::kNone, partial.rows,
                             partial.cols, others.rows, tensor_.values.data(), others.values.data(),
                             partial.values.data());
    const std::size_t first = rows ? 0 : n_row_modes_;
    for (std::size_t k = 0; k < side(rows).size(); ++k) {
      update(first + k, contract_others(partial, side(rows), k));
    }
  }

  // Solves A (Γ + μ I) = M + μ A_before, Γ the product of the other Gram matrices.
  void update(std::size_t mode, Matrix right) {
    const Matrix equations = product_of_grams(mode);
    double trace = 0;
    for (std::size_t r = 0; r < equations.rows; ++r) trace += equations(r, r);
    const Matrix before = factors_[mode];
    const Matrix target = right;
    double mu = kProximal * trace / static_cast<double>(equations.rows);
    for (int attempt = 0; attempt < 8 && mu > 0; ++attempt, mu *= 100) {
      Matrix damped = equations;
      for (std::size_t r = 0; r < damped.rows; ++r) damped(r, r) += mu;
      right = target;
      for (std::size_t i = 0; i < right.values.size(); ++i) {
        right.values[i] += mu * before.values[i];
      }
      if (!solve_positive(std::move(damped), right)) continue;
      factors_[mode] = std::move(right);
      grams_[mode] = gram(factors_[mode]);
      break;
    }
    measure(mode, target, equations);
  }

  Matrix product_of_grams(std::size_t left_out) const {
    Matrix result(grams_[0].rows, grams_[0].cols);
    std::ranges::fill(result.values, 1.0);
    for (std::size_t k = 0; k < grams_.size(); ++k) {
      if (k == left_out) continue;
      for (std::size_t i = 0; i < result.values.size(); ++i)
        result.values[i] *= grams_[k].values[i];
    }
    return result;
  }

  // ‖T - T̂‖² = ‖T‖² - 2 <M, A> + <Γ, AᵀA>.
  void measure(std::size_t mode, const Matrix& target, const Matrix& equations) {
    double mixed = 0, own = 0;
    for (std::size_t i = 0; i < target.values.size(); ++i) {
      mixed += target.values[i] * factors_[mode].values[i];
    }
    for (std::size_t i = 0; i < equations.values.size(); ++i) {
      own += equations.values[i] * grams_[mode].values[i];
    }
    error_ = std::sqrt(std::max(0.0, norm_ - 2 * mixed + own) / norm_);
  }

  // Gives each term the same norm in all modes.
  void spread_norms() {
    const auto n_modes = static_cast<double>(factors_.size());
    for (std::size_t r = 0; r < grams_[0].rows; ++r) {
      double log_norm = 0;
      bool vanished = false;
      for (const Matrix& gram_of_factor : grams_) {
        vanished |= gram_of_factor(r, r) <= 0;
        log_norm += vanished ? 0 : 0.5 * std::log(gram_of_factor(r, r));
      }
      if (vanished) continue;
      for (std::size_t k = 0; k < factors_.size(); ++k) {
        const double scale = std::exp(log_norm / n_modes) / std::sqrt(grams_[k](r, r));
        for (std::size_t i = 0; i < factors_[k].rows; ++i) factors_[k](i, r) *= scale;
      }
    }
    for (std::size_t k = 0; k < factors_.size(); ++k) grams_[k] = gram(factors_[k]);
  }

  const Tensor& tensor_;
  double norm_;
  std::size_t n_row_modes_;
  std::vector<Matrix> factors_;
  std::vector<Matrix> grams_;
  double error_ = 1;
};

void fill_random(Matrix& matrix, std::size_t first_column, Random& random) {
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t r = first_column; r < matrix.cols; ++r) {
      matrix(i, r) = 2 * unit(random) - 1;
    }
  }
}

std::vector<Matrix> start_factors(const Tensor& tensor, std::size_t rank, std::size_t restart,
                                  std::uint64_t seed) {
  Random random(seed + restart);
  const std::vector<Matrix> grams = restart == 0 ? grams_of_modes(tensor) : std::vector<Matrix>();
  std::vector<Matrix> factors;
  for (std::size_t k = 0; k < tensor.shape.size(); ++k) {
    Matrix& factor = factors.emplace_back(tensor.shape[k], rank);
    std::size_t n_vectors = 0;
    if (restart == 0) {
      n_vectors = std::min(rank, tensor.shape[k]);
      const Matrix vectors = linear_algebra::leading_eigenvectors(grams[k], n_vectors);
      for (std::size_t i = 0; i < factor.rows; ++i) {
        for (std::size_t r = 0; r < n_vectors; ++r) factor(i, r) = vectors(i, r);
      }
    }
    fill_random(factor, n_vectors, random);
  }
  return factors;
}

}  // namespace

std::vector<Matrix> decompose_cp(const Tensor& tensor, std::size_t n_row_modes, std::size_t rank,
                                 const Effort& effort) {
  const double norm = squared_norm(tensor);
  if (norm == 0) {
    std::vector<Matrix> zeros;
    for (const std::size_t size : tensor.shape) zeros.emplace_back(size, rank);
    return zeros;
  }
  std::vector<Matrix> best;
  double least = 0;
  for (std::size_t restart = 0; restart < std::max<std::size_t>(1, effort.restarts); ++restart) {
    AlternatingLeastSquares run(tensor, norm, n_row_modes,
                                start_factors(tensor, rank, restart, effort.seed));
    run.run(effort);
    if (!best.empty() && !(run.error() < least)) continue;
    best = std::move(run.factors());
    least = run.error();
  }
  return best;
}

}  // namespace pqw::tensorized
