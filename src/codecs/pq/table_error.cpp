// How exact the integer tables of a weight are: measured.
#include "codecs/pq/table_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace pqw {

double table_error(const LookupProduct& integers, const DirectProduct& floats, MatrixShape matrix) {
  constexpr std::size_t kRowsOfX = 4;
  constexpr std::size_t kRowsOfW = 512;  // at most
  const std::size_t n_rows = std::min(matrix.rows, kRowsOfW);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(kRowsOfX * matrix.cols);
  for (float& value : x) value = normal(random);
  std::vector<float> y(kRowsOfX * n_rows), expected(y.size());
  const ConstMatrix x_rows(x.data(), kRowsOfX, matrix.cols);
  floats.multiply(0, x_rows, {expected.data(), kRowsOfX, n_rows}, false);
  if (!integers.multiply(0, x_rows, {y.data(), kRowsOfX, n_rows}, false).empty()) {
    return std::numeric_limits<double>::infinity();
  }
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double difference = static_cast<double>(y[i]) - expected[i];
    error += difference * difference;
    norm += static_cast<double>(expected[i]) * expected[i];
  }
  return error == 0 ? 0 : std::sqrt(error / norm);
}

}  // namespace pqw
