// Product-quantized weights with random codes, and their dense form read by definition.
#pragma once

#include <random>
#include <utility>
#include <vector>

#include "pqw/codecs/pq.h"
#include "tests/support/random_matrix.h"

namespace pqw::test {

inline PqWeight random_pq_weight(Shape shape, std::size_t block_size, std::size_t n_centroids,
                                 std::size_t n_groups = 1, std::size_t n_additive = 1) {
  PqWeight weight;
  weight.shape = std::move(shape);
  weight.block_size = block_size;
  weight.n_additive = n_additive;
  weight.n_groups = n_groups;
  weight.n_centroids = n_centroids;
  weight.codebooks = normal_values(n_additive * n_groups * n_centroids * block_size, 3);
  weight.codes.resize(n_additive * weight.positions() * weight.rows());
  std::mt19937 random(4);
  for (auto& code : weight.codes) code = static_cast<std::uint16_t>(random() % n_centroids);
  return weight;
}

// Gives the rows scales between 1/8 and 2.
inline PqWeight with_row_scales(PqWeight weight) {
  weight.row_scale_type = RowScales::kF16;
  std::mt19937 random(5);
  for (std::size_t r = 0; r < weight.rows(); ++r) {
    weight.row_scales.push_back(static_cast<float>(1 + random() % 16) / 8);
  }
  return weight;
}

// The value of the centroids that stand for column c of row r.
inline double element(const PqWeight& w, std::size_t r, std::size_t c) {
  const std::size_t p = c / w.block_size;
  std::size_t group = 0;
  while (p >= first_position(group + 1, w.n_groups, w.positions())) ++group;
  float sum = 0;
  for (std::size_t book = 0; book < w.n_additive; ++book) {
    const std::size_t code = w.codes[(book * w.positions() + p) * w.rows() + r];
    const std::size_t k = (book * w.n_groups + group) * w.n_centroids + code;
    sum += w.codebooks[k * w.block_size + c % w.block_size];
  }
  return w.row_scales.empty() ? sum : w.row_scales[r] * sum;
}

}  // namespace pqw::test
