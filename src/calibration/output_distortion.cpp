// Outputs of a layer with two weights, and their distortion.
#include "calibration/output_distortion.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr std::size_t kRowsAtOnce = 4;  // of a weight: each value of x is loaded once for all

// Layout: double [cols][n_held_out], so that the innermost loop has no dependent sums.
std::vector<double> transposed_inputs(const InputStatistics& inputs) {
  const std::size_t n = inputs.n_held_out();
  std::vector<double> x(inputs.held_out.size());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < inputs.cols; ++c)
      x[c * n + i] = inputs.held_out[i * inputs.cols + c];
  }
  return x;
}

// Layout: weights [n_rows][cols], x [cols][n], y [n_rows][n].
void multiply(const double* weights, std::size_t n_rows, std::size_t cols, const double* x,
              std::size_t n, double* y) {
  std::fill_n(y, n_rows * n, 0.0);
  for (std::size_t c = 0; c < cols; ++c) {
    for (std::size_t r = 0; r < n_rows; ++r) {
      const double weight = weights[r * cols + c];
      double* const sums = y + r * n;
      for (std::size_t i = 0; i < n; ++i) sums[i] += weight * x[c * n + i];
    }
  }
}

}  // namespace

Distortion output_distortion(const InputStatistics& inputs, DType original_dtype,
                             std::span<const std::byte> original, DType reconstruction_dtype,
                             std::span<const std::byte> reconstruction) {
  const std::size_t cols = inputs.cols, n = inputs.n_held_out();
  const std::size_t row_bytes = cols * size_in_bytes(original_dtype);
  const std::size_t reconstruction_row_bytes = cols * size_in_bytes(reconstruction_dtype);
  const std::size_t n_rows = original.size() / row_bytes;
  const std::vector<double> x = transposed_inputs(inputs);
  const Workers workers(n_rows * cols, 2 * static_cast<double>(n));
  return workers.reduce_in_order(
      Division::by_length(n_rows, kRowsAtOnce), Distortion(),
      [&](const IndexRange& rows, std::size_t, Distortion& partial) {
        const std::size_t count = rows.end - rows.begin;
        std::vector<double> weights(2 * count * cols), y(2 * count * n);
        const std::span<double> all(weights);
        to_double(original.subspan(rows.begin * row_bytes, count * row_bytes), original_dtype,
                  all.first(count * cols));
        to_double(reconstruction.subspan(rows.begin * reconstruction_row_bytes,
                                         count * reconstruction_row_bytes),
                  reconstruction_dtype, all.last(count * cols));
        multiply(weights.data(), 2 * count, cols, x.data(), n, y.data());
        const std::span<const double> outputs(y);
        partial.add(outputs.first(count * n), outputs.last(count * n));
      },
      [](Distortion& sum, const Distortion& partial) { sum.add(partial); });
}

}  // namespace pqw
