// What results are compared with: decoded weights, and distances in double.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "pqw/codecs/weight.h"

namespace pqw::test {

// The matrix of a weight, decoded.
inline std::vector<float> decoded(const Weight& weight) {
  const MatrixShape matrix = head_of(weight).matrix();
  std::vector<float> values(matrix.rows * matrix.cols);
  decode_rows(weight, 0, {values.data(), matrix.rows, matrix.cols});
  return values;
}

// ‖values - expected‖ / ‖expected‖; 0 if nothing differs.
template <class Values, class Expected>
double relative_error(const Values& values, const Expected& expected) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    const double difference = double{values[i]} - double{expected[i]};
    error += difference * difference;
    norm += double{expected[i]} * double{expected[i]};
  }
  return error == 0 ? 0 : std::sqrt(error / norm);
}

}  // namespace pqw::test
