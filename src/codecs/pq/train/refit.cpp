// Conjugate gradients on the codebooks.
#include "codecs/pq/train/refit.h"

#include <algorithm>
#include <cassert>

#include "codecs/train/input_metric.h"
#include "core/parallel.h"

namespace pqw {
namespace {

using Values = std::vector<double>;  // [n_groups][K][d]: of centroids

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The normal equations: half the gradient of the objective is linear in the codebooks.
class NormalEquations {
 public:
  NormalEquations(std::span<const float> row_weights, const InputStatistics& inputs, double damping,
                  const PqWeight& weight)
      : row_weights_(row_weights),
        inputs_(inputs),
        damping_(damping),
        weight_(weight),
        groups_(group_of_positions(weight)),
        d_(weight.block_size),
        stride_(groups_.size() * d_) {}

  // -Half the gradient at the codebooks of the weight.
  Values residual(const Blocks& blocks) const {
    std::vector<float> errors = decoded({weight_.codebooks.begin(), weight_.codebooks.end()});
    for_each_block([&](std::size_t r, std::size_t p, std::size_t) {
      for (std::size_t j = 0; j < d_; ++j) {
        float& value = errors[r * stride_ + p * d_ + j];
        value = blocks.values[(p * weight_.rows() + r) * d_ + j] - value;
      }
    });
    return sums(times_metric(inputs_, weight_.matrix(), damping_, errors, stride_));
  }

  // The product of the matrix of the equations and a direction.
  Values times(const Values& direction) const {
    return sums(times_metric(inputs_, weight_.matrix(), damping_, decoded(direction), stride_));
  }

  // Part of the diagonal of that matrix: without the products of different blocks of a row.
  Values diagonal() const {
    const std::size_t cols = weight_.cols();
    const std::size_t rows_per_group = weight_.rows() / inputs_.n_groups(cols);
    const std::vector<float> energies = column_energies(inputs_, cols, damping_);
    std::vector<float> rows(weight_.rows() * stride_);
    for (std::size_t r = 0; r < weight_.rows(); ++r) {
      std::copy_n(&energies[r / rows_per_group * cols], cols, &rows[r * stride_]);
    }
    return sums(rows);
  }

 private:
  // f(row, position, first of the centroid's values); rows side by side.
  template <class F>
  void for_each_block(const F& f) const {
    Workers(weight_.codes.size(), 8).for_each(weight_.rows(), [&](std::size_t r) {
      for (std::size_t p = 0; p < groups_.size(); ++p) f(r, p, first_value(r, p));
    });
  }

  std::size_t first_value(std::size_t r, std::size_t p) const {
    const std::size_t code = weight_.codes[p * weight_.rows() + r];
    return (groups_[p] * weight_.n_centroids + code) * d_;
  }

  // Layout: [rows][stride].
  std::vector<float> decoded(const Values& codebooks) const {
    std::vector<float> rows(weight_.rows() * stride_);
    for_each_block([&](std::size_t r, std::size_t p, std::size_t first) {
      for (std::size_t j = 0; j < d_; ++j) {
        rows[r * stride_ + p * d_ + j] = static_cast<float>(codebooks[first + j]);
      }
    });
    return rows;
  }

  // The sum of the values of the blocks of each centroid, weighted by rows.
  Values sums(const std::vector<float>& rows) const {
    constexpr std::size_t kRanges = 8;
    const std::size_t n = std::min(kRanges, weight_.rows());
    return Workers(rows.size(), 4)
        .reduce_in_order(
            Division::by_count(weight_.rows(), n), Values(weight_.codebooks.size()),
            [&](const IndexRange& range, std::size_t, Values& own) {
              for (std::size_t r = range.begin; r < range.end; ++r) {
                const double row = row_weights_.empty() ? 1 : row_weights_[r];
                for (std::size_t p = 0; p < groups_.size(); ++p) {
                  const std::size_t first = first_value(r, p);
                  const float* values = &rows[r * stride_ + p * d_];
                  for (std::size_t j = 0; j < d_; ++j) own[first + j] += row * values[j];
                }
              }
            },
            [](Values& sum, const Values& own) {
              for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += own[i];
            });
  }

  std::span<const float> row_weights_;
  const InputStatistics& inputs_;
  double damping_;
  const PqWeight& weight_;
  std::vector<std::uint32_t> groups_;
  std::size_t d_;
  std::size_t stride_;
};

}  // namespace

void refit_codebooks(const Blocks& blocks, std::span<const float> row_weights,
                     const InputStatistics& inputs, double damping, std::size_t steps,
                     PqWeight& weight) {
  constexpr double kConverged = 1e-10;  // of the first residual
  assert(weight.n_additive == 1);
  if (blocks.values.empty()) return;
  const NormalEquations equations(row_weights, inputs, damping, weight);
  const Values diagonal = equations.diagonal();
  const auto preconditioned = [&](Values values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = diagonal[i] > 0 ? values[i] / diagonal[i] : 0;
    }
    return values;
  };
  Values residual = equations.residual(blocks), direction = preconditioned(residual);
  Values moved(residual.size());
  double norm = dot(residual, direction);
  const double first_norm = norm;
  for (std::size_t step = 0; step < steps && norm > kConverged * first_norm; ++step) {
    const Values image = equations.times(direction);
    const double curvature = dot(direction, image);
    if (!(curvature > 0)) break;
    const double length = norm / curvature;
    for (std::size_t i = 0; i < moved.size(); ++i) {
      moved[i] += length * direction[i];
      residual[i] -= length * image[i];
    }
    const Values next = preconditioned(residual);
    const double next_norm = dot(residual, next), keep = next_norm / norm;
    for (std::size_t i = 0; i < moved.size(); ++i) direction[i] = next[i] + keep * direction[i];
    norm = next_norm;
  }
  for (std::size_t i = 0; i < moved.size(); ++i) {
    weight.codebooks[i] = static_cast<float>(weight.codebooks[i] + moved[i]);
  }
}

}  // namespace pqw
