// Inputs of a layer whose columns are correlated and differ in energy, and their statistics.
#pragma once

#include <algorithm>
#include <vector>

#include "pqw/codecs/input_statistics.h"
#include "tests/support/random_matrix.h"

namespace pqw::test {

// x = z A: [n][cols], of rank `rank` and a little noise. Factor k of A has the energy 0.8^k. The
// same `seed` gives the same A; `draw` differs between samples.
inline std::vector<float> correlated_inputs(std::size_t n, std::size_t cols, std::size_t rank,
                                            unsigned seed, unsigned draw) {
  std::vector<float> a = normal_values(rank * cols, seed), z = normal_values(n * rank, draw + 1000);
  std::vector<float> x = normal_values(n * cols, draw + 2000, 0, 0.02f);
  float amplitude = 1;
  for (std::size_t k = 0; k < rank; ++k, amplitude *= 0.8944f) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t c = 0; c < cols; ++c) {
        x[i * cols + c] += amplitude * z[i * rank + k] * a[k * cols + c];
      }
    }
  }
  return x;
}

// The statistics of x [n][cols], by their definition. gram_block 0: without a Gram matrix.
inline InputStatistics statistics_of(const std::vector<float>& x, std::size_t cols,
                                     std::size_t gram_block, std::vector<float> held_out = {}) {
  const std::size_t n = x.size() / cols;
  InputStatistics inputs{.cols = cols, .n_rows = n};
  inputs.gram_block = gram_block;
  inputs.held_out = std::move(held_out);
  const auto mean_product = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += double{x[i * cols + a]} * x[i * cols + b];
    return sum / static_cast<double>(n);
  };
  for (std::size_t c = 0; c < cols; ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += x[i * cols + c];
    inputs.means.push_back(sum / static_cast<double>(n));
    inputs.second_moments.push_back(mean_product(c, c));
  }
  for (std::size_t first = 0; gram_block > 0 && first < cols; first += gram_block) {
    const std::size_t end = std::min(cols, first + gram_block);
    for (std::size_t a = first; a < end; ++a) {
      for (std::size_t b = first; b < end; ++b) {
        inputs.gram.push_back(static_cast<float>(mean_product(a, b)));
      }
    }
  }
  return inputs;
}

}  // namespace pqw::test
