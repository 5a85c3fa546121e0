// How exact the integer tables of a weight are: measured.
#include "codecs/pq/product/table_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace pqw {

double table_error(const LookupProduct& integers, const DirectProduct& floats, MatrixShape matrix) {
  constexpr std::size_t kRowsOfW = 512;  // at most
  constexpr std::size_t kProducts = 2048;
  const std::size_t n_rows = std::min(matrix.rows, kRowsOfW);
  const std::size_t n_rows_of_x = std::clamp<std::size_t>(kProducts / n_rows, 4, 64);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(n_rows_of_x * matrix.cols);
  for (float& value : x) value = normal(random);
  std::vector<float> y(n_rows_of_x * n_rows), expected(y.size());
  const ConstMatrix x_rows(x.data(), n_rows_of_x, matrix.cols);
  floats.multiply(0, x_rows, {expected.data(), n_rows_of_x, n_rows}, false);
  if (!integers.multiply(0, x_rows, {y.data(), n_rows_of_x, n_rows}, false).empty()) {
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
