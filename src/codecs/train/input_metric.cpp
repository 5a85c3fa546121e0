// The metric of the errors of outputs: checks, factors and products.
#include "codecs/train/input_metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "codecs/train/blas.h"
#include "codecs/train/linear_algebra.h"
#include "core/parallel.h"
#include "core/subject.h"

namespace pqw {
namespace {

// A block of the Gram matrix: [n][n], for the columns first .. first+n-1.
struct GramBlock {
  std::size_t first;
  std::size_t n;
  const float* values;
};

GramBlock gram_block(const InputStatistics& inputs, std::size_t index) {
  const std::size_t n = inputs.gram_block, first = index * n;
  return {first, std::min(n, inputs.cols - first), inputs.gram.data() + index * n * n};
}

std::size_t n_gram_values(const InputStatistics& inputs) {
  if (inputs.gram_block == 0) return 0;
  const std::size_t last = inputs.cols % inputs.gram_block;
  return inputs.cols / inputs.gram_block * inputs.gram_block * inputs.gram_block + last * last;
}

// What H multiplies the Gram matrix with; 0 if all inputs are 0.
double scale_of(const InputStatistics& inputs) {
  const auto& moments = inputs.second_moments;
  const double sum = std::accumulate(moments.begin(), moments.end(), 0.0);
  return sum > 0 ? static_cast<double>(moments.size()) / sum : 0;
}

template <class T>
bool all_finite(const std::vector<T>& values) {
  return std::ranges::all_of(values, [](T value) { return std::isfinite(value); });
}

}  // namespace

void check_inputs(const InputStatistics& inputs, MatrixShape weight) {
  const std::size_t n_groups = inputs.n_groups(weight.cols);
  const bool are_groups =
      n_groups > 0 && inputs.cols == n_groups * weight.cols && weight.rows % n_groups == 0 &&
      (n_groups == 1 || inputs.gram_block == 0 || weight.cols % inputs.gram_block == 0);
  if (!are_groups || inputs.second_moments.size() != inputs.cols) {
    throw invalid_argument(
        "statistics of {} inputs with {} second moments: the weight has {} columns", inputs.cols,
        inputs.second_moments.size(), weight.cols);
  }
  if (inputs.gram.size() != n_gram_values(inputs)) {
    throw invalid_argument("statistics of inputs: a Gram matrix of {} values, expected {}",
                           inputs.gram.size(), n_gram_values(inputs));
  }
  const auto valid = [](double moment) { return moment >= 0 && std::isfinite(moment); };
  if (!std::ranges::all_of(inputs.second_moments, valid)) {
    throw invalid_argument(
        "statistics of inputs: expected second moments that are finite and 0 or more");
  }
  if (!all_finite(inputs.gram) || !all_finite(inputs.held_out)) {
    throw invalid_argument("statistics of inputs: expected finite values");
  }
}

std::vector<double> group_energies(const InputStatistics& inputs, std::size_t weight_cols) {
  constexpr double kLeast = 1e-6;  // of inputs that are 0
  const std::size_t n_groups = inputs.n_groups(weight_cols);
  if (n_groups == 1) return {1};
  const double scale = scale_of(inputs);
  std::vector<double> energies(n_groups);
  for (std::size_t g = 0; g < n_groups; ++g) {
    const auto first = inputs.second_moments.begin() + static_cast<std::ptrdiff_t>(g * weight_cols);
    const double sum =
        std::accumulate(first, first + static_cast<std::ptrdiff_t>(weight_cols), 0.0);
    energies[g] = std::max(kLeast, scale * sum / static_cast<double>(weight_cols));
  }
  return energies;
}

std::vector<float> column_energies(const InputStatistics& inputs, std::size_t weight_cols,
                                   double damping) {
  const double scale = scale_of(inputs);
  const std::vector<double> of_groups = group_energies(inputs, weight_cols);
  std::vector<float> energies;
  for (std::size_t c = 0; c < inputs.cols; ++c) {
    energies.push_back(static_cast<float>(scale * inputs.second_moments[c] +
                                          damping * of_groups[c / weight_cols]));
  }
  return energies;
}

std::vector<float> column_importances(const InputStatistics& inputs, std::size_t weight_cols) {
  const std::vector<float> energies = column_energies(inputs, weight_cols, kDamping);
  const std::size_t n_groups = inputs.n_groups(weight_cols);
  std::vector<float> importances(energies.begin(),
                                 energies.begin() + static_cast<std::ptrdiff_t>(weight_cols));
  for (std::size_t i = weight_cols; i < energies.size(); ++i) {
    importances[i % weight_cols] += energies[i];
  }
  for (float& value : importances) value /= static_cast<float>(n_groups);
  return importances;
}

std::vector<float> row_importances(const InputStatistics& inputs, MatrixShape weight,
                                   std::span<const float> given) {
  const std::vector<double> energies = group_energies(inputs, weight.cols);
  std::vector<float> rows(given.begin(), given.end());
  if (energies.size() == 1) return rows;
  rows.resize(weight.rows, 1.0f);
  for (std::size_t r = 0; r < weight.rows; ++r) {
    rows[r] *= static_cast<float>(energies[r / (weight.rows / energies.size())]);
  }
  return rows;
}

std::vector<float> cholesky_factor(const InputStatistics& inputs, std::size_t weight_cols,
                                   std::size_t group, std::span<const std::size_t> columns,
                                   double damping) {
  const std::size_t n = columns.size(), first = group * weight_cols;
  const double scale = scale_of(inputs);
  const auto is_padding = [&](std::size_t i) { return columns[i] >= weight_cols; };
  damping *= group_energies(inputs, weight_cols)[group];
  linear_algebra::Matrix h(n, n);
  for (bool done = false; !done; damping *= 10) {
    for (std::size_t i = 0; i < n; ++i) {
      std::fill_n(&h(i, 0), n, 0.0);
      h(i, i) = 1;
      if (is_padding(i)) continue;
      const GramBlock block = gram_block(inputs, (first + columns[i]) / inputs.gram_block);
      const float* row = block.values + (first + columns[i] - block.first) * block.n;
      for (std::size_t j = 0; j <= i; ++j) {
        const std::size_t column = first + columns[j] - block.first;  // wraps before the block
        if (!is_padding(j) && column < block.n) h(i, j) = scale * row[column];
      }
      h(i, i) += damping;
    }
    done = linear_algebra::cholesky(h);
  }
  std::vector<float> lower(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    if (is_padding(i)) continue;
    for (std::size_t j = 0; j <= i; ++j) lower[i * n + j] = static_cast<float>(h(i, j));
  }
  return lower;
}

std::vector<float> times_metric(const InputStatistics& inputs, MatrixShape weight, double damping,
                                std::span<const float> e, std::size_t stride) {
  constexpr std::size_t kRowsPerRange = 64;
  const auto scale = static_cast<float>(scale_of(inputs));
  const std::vector<double> energies = group_energies(inputs, weight.cols);
  const std::size_t rows_per_group = weight.rows / energies.size();
  std::vector<float> product(e.size());
  linear_algebra::blas();
  // Of rows of one group.
  const auto multiply = [&](std::size_t group, std::size_t first_row, std::size_t m) {
    const std::size_t first = group * weight.cols, end = first + weight.cols;
    const float* from = e.data() + first_row * stride;
    float* to = product.data() + first_row * stride;
    for (std::size_t b = first / inputs.gram_block; b * inputs.gram_block < end; ++b) {
      const GramBlock block = gram_block(inputs, b);
      linear_algebra::add_product(m, block.n, block.n, from + block.first - first, stride,
                                  block.values, block.n, to + block.first - first, stride);
    }
    const auto damped = static_cast<float>(damping * energies[group]);
    for (std::size_t r = 0; r < m; ++r) {
      for (std::size_t c = 0; c < weight.cols; ++c) {
        float& value = to[r * stride + c];
        value = scale * value + damped * from[r * stride + c];
      }
    }
  };
  const std::size_t length = energies.size() == 1 ? kRowsPerRange : rows_per_group;
  Workers(weight.rows * inputs.gram.size() / energies.size(), 0.125)
      .for_ranges(Division::by_length(weight.rows, length),
                  [&](const IndexRange& range, std::size_t) {
                    multiply(energies.size() == 1 ? 0 : range.begin / rows_per_group, range.begin,
                             range.end - range.begin);
                  });
  return product;
}

}  // namespace pqw
