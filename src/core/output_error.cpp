// Measures how far the outputs of a layer are from those of the original.
#include "pqw/core/output_error.h"

#include <array>
#include <limits>
#include <vector>

#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kInputs = 32;  // rows of x in a tile
constexpr std::size_t kRowsPerRange = 64;

// Adds a row of W for a tile of x: double[cols][kInputs].
void add_row(std::span<const float> w, std::span<const float> w_hat, const double* tile,
             OutputError& sums) {
  std::array<double, kInputs> errors{}, outputs{};
  for (std::size_t c = 0; c < w.size(); ++c) {
    const double value = w[c], difference = value - w_hat[c];
    for (std::size_t i = 0; i < kInputs; ++i) {
      errors[i] += difference * tile[c * kInputs + i];
      outputs[i] += value * tile[c * kInputs + i];
    }
  }
  for (std::size_t i = 0; i < kInputs; ++i) {
    sums.squared_error += errors[i] * errors[i];
    sums.squared_norm += outputs[i] * outputs[i];
  }
}

}  // namespace

void OutputError::add(const OutputError& other) {
  squared_error += other.squared_error;
  squared_norm += other.squared_norm;
}

double OutputError::relative() const {
  if (squared_error == 0) return 0;
  if (squared_norm == 0) return std::numeric_limits<double>::infinity();
  return squared_error / squared_norm;
}

OutputError measure_outputs(ConstMatrix w, ConstMatrix w_hat, ConstMatrix x) {
  assert(w.rows() == w_hat.rows() && w.cols() == w_hat.cols());
  const std::size_t n_groups = w.cols() == 0 ? 1 : x.cols() / w.cols();
  assert(x.cols() == n_groups * w.cols() && w.rows() % n_groups == 0);
  const std::size_t rows_per_group = w.rows() / n_groups;
  OutputError sums;
  std::vector<double> tile(x.cols() * kInputs);
  for (std::size_t first = 0; first < x.rows(); first += kInputs) {
    for (std::size_t i = 0; i < kInputs; ++i) {
      for (std::size_t c = 0; c < x.cols(); ++c) {
        tile[c * kInputs + i] = first + i < x.rows() ? x(first + i, c) : 0;
      }
    }
    const auto add_rows = [&](const IndexRange& range, std::size_t, OutputError& own) {
      for (std::size_t r = range.begin; r < range.end; ++r) {
        const double* of_group = tile.data() + r / rows_per_group * w.cols() * kInputs;
        add_row(w.row(r), w_hat.row(r), of_group, own);
      }
    };
    sums.add(Workers(w.rows() * w.cols(), kInputs)
                 .reduce_in_order(Division::by_length(w.rows(), kRowsPerRange), OutputError(),
                                  add_rows,
                                  [](OutputError& sum, const OutputError& own) { sum.add(own); }));
  }
  return sums;
}

double output_error(ConstMatrix w, ConstMatrix w_hat, ConstMatrix x) {
  return measure_outputs(w, w_hat, x).relative();
}

}  // namespace pqw
