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

void check_inputs(const InputStatistics& inputs, std::size_t cols) {
  if (inputs.cols != cols || inputs.second_moments.size() != cols) {
    throw invalid_argument(
        "statistics of {} inputs with {} second moments: the weight has {} columns", inputs.cols,
        inputs.second_moments.size(), cols);
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

std::vector<float> column_energies(const InputStatistics& inputs, double damping) {
  const double scale = scale_of(inputs);
  std::vector<float> energies;
  for (const double moment : inputs.second_moments) {
    energies.push_back(static_cast<float>(scale * moment + damping));
  }
  return energies;
}

std::vector<float> cholesky_factor(const InputStatistics& inputs,
                                   std::span<const std::size_t> columns, double damping) {
  const std::size_t n = columns.size();
  const double scale = scale_of(inputs);
  const auto is_padding = [&](std::size_t i) { return columns[i] >= inputs.cols; };
  linear_algebra::Matrix h(n, n);
  for (bool done = false; !done; damping *= 10) {
    for (std::size_t i = 0; i < n; ++i) {
      std::fill_n(&h(i, 0), n, 0.0);
      h(i, i) = 1;
      if (is_padding(i)) continue;
      const GramBlock block = gram_block(inputs, columns[i] / inputs.gram_block);
      const float* row = block.values + (columns[i] - block.first) * block.n;
      for (std::size_t j = 0; j <= i; ++j) {
        const std::size_t column = columns[j] - block.first;  // wraps before the block
        if (column < block.n) h(i, j) = scale * row[column];
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

std::vector<float> times_metric(const InputStatistics& inputs, double damping,
                                std::span<const float> e, std::size_t stride) {
  constexpr std::size_t kRowsPerRange = 64;
  const auto scale = static_cast<float>(scale_of(inputs));
  const std::size_t n_rows = e.size() / stride;
  std::vector<float> product(e.size());
  linear_algebra::blas();
  Workers(n_rows * inputs.gram.size(), 0.125)
      .for_ranges(Division::by_length(n_rows, kRowsPerRange),
                  [&](const IndexRange& range, std::size_t) {
                    const float* from = e.data() + range.begin * stride;
                    float* to = product.data() + range.begin * stride;
                    const std::size_t m = range.end - range.begin;
                    for (std::size_t b = 0; b * inputs.gram_block < inputs.cols; ++b) {
                      const GramBlock block = gram_block(inputs, b);
                      linear_algebra::add_product(m, block.n, block.n, from + block.first, stride,
                                                  block.values, block.n, to + block.first, stride);
                    }
                    for (std::size_t r = 0; r < m; ++r) {
                      for (std::size_t c = 0; c < inputs.cols; ++c) {
                        float& value = to[r * stride + c];
                        value = scale * value + static_cast<float>(damping) * from[r * stride + c];
                      }
                    }
                  });
  return product;
}

}  // namespace pqw
