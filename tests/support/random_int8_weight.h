// Int8 weights with random content, and their elements read by definition.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "pqw/codecs/int8.h"

namespace pqw::test {

inline std::vector<std::int8_t> random_int8(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int8_t> values(n);
  for (auto& value : values)
    value = static_cast<std::int8_t>(static_cast<int>(random() % 256) - 128);
  return values;
}

// All 256 values, and scales around 0.01, one per row or one for all.
inline Int8Weight random_int8_weight(Shape shape, bool affine, bool per_row = true) {
  Int8Weight weight;
  weight.shape = std::move(shape);
  weight.values = random_int8(weight.rows() * weight.cols(), 5);
  const std::size_t n_scales = per_row ? weight.rows() : 1;
  std::mt19937 random(6);
  for (std::size_t i = 0; i < n_scales; ++i) {
    weight.scales.push_back(0.005f + 0.01f * static_cast<float>(random() % 1000) / 1000);
  }
  if (affine) weight.zero_points = random_int8(n_scales, 7);
  return weight;
}

// W[r][c]
inline double element(const Int8Weight& w, std::size_t r, std::size_t c) {
  const std::size_t s = w.scales.size() == 1 ? 0 : r;
  const int zero_point = w.zero_points.empty() ? 0 : w.zero_points[s];
  return static_cast<double>(w.scales[s]) * (w.values[r * w.cols() + c] - zero_point);
}

}  // namespace pqw::test
