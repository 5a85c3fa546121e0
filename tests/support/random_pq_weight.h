// Product-quantized weights with random codes, and their dense form read by definition.
#pragma once

#include <random>
#include <utility>
#include <vector>

#include "pqw/codecs/pq.h"
#include "tests/support/random_matrix.h"

namespace pqw::test {

inline PqWeight random_pq_weight(Shape shape, std::size_t block_size, std::size_t n_centroids,
                                 std::size_t n_groups = 1) {
  PqWeight weight;
  weight.shape = std::move(shape);
  weight.block_size = block_size;
  weight.n_groups = n_groups;
  weight.n_centroids = n_centroids;
  weight.codebooks = normal_values(n_groups * n_centroids * block_size, 3);
  weight.codes.resize(weight.positions() * weight.rows());
  std::mt19937 random(4);
  for (auto& code : weight.codes) code = static_cast<std::uint16_t>(random() % n_centroids);
  return weight;
}

// The value of the centroid that stands for column c of row r.
inline double element(const PqWeight& w, std::size_t r, std::size_t c) {
  const std::size_t p = c / w.block_size;
  std::size_t group = 0;
  while (p >= first_position(group + 1, w.n_groups, w.positions())) ++group;
  const std::size_t k = group * w.n_centroids + w.codes[p * w.rows() + r];
  return w.codebooks[k * w.block_size + c % w.block_size];
}

}  // namespace pqw::test
