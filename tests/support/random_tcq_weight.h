// Trellis-coded weights with random content, and their elements read by definition.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "codecs/tcq/value/trellis.h"
#include "pqw/codecs/tcq.h"
#include "tests/support/random_matrix.h"

namespace pqw::test {

// Integers that a path through the trellis gives. Their indices are normal, `spread` wide, and in
// columns that are multiples of 5 four times as wide.
inline std::vector<std::int16_t> random_path(MatrixShape shape, float spread, unsigned seed = 8) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<std::int16_t> values(shape.rows * shape.cols);
  std::array<unsigned, tcq::kLanes> states = {};
  for (std::size_t r = 0; r < shape.rows; ++r) {
    if (r / tcq::kLanes % tcq::groups_per_chain(shape.cols) == 0) states[r % tcq::kLanes] = 0;
    unsigned& state = states[r % tcq::kLanes];
    for (std::size_t c = 0; c < shape.cols; ++c) {
      const float wide = normal(random) * (c % 5 == 0 ? 4.0f : 1.0f);
      const int k = std::clamp(static_cast<int>(std::nearbyint(wide)), -16383, 16383);
      const auto index = static_cast<unsigned>(std::abs(k));
      const auto n = static_cast<int>(tcq::magnitude_of(index, state % 2));
      values[r * shape.cols + c] = static_cast<std::int16_t>(k < 0 ? -n : n);
      state = tcq::next_state(state, index % 2);
    }
  }
  return values;
}

// With integers beyond 8 bits if the spread is.
inline TcqWeight random_tcq_weight(Shape shape, bool scaled, bool with_means, float spread = 12) {
  TcqWeight weight;
  weight.shape = std::move(shape);
  weight.step = 0.03f;
  weight.values = random_path(weight.matrix(), spread);
  std::mt19937 random(9);
  for (std::size_t r = 0; scaled && r < weight.rows(); ++r) {
    weight.fineness.push_back(static_cast<std::uint8_t>(random() % 7));
  }
  for (std::size_t c = 0; with_means && c < weight.cols(); ++c) {
    weight.means.push_back(static_cast<float>(random() % 200) / 128 - 0.75f);
  }
  return weight;
}

}  // namespace pqw::test
