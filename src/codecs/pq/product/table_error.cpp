// Measures how exact the integer tables of a weight are.
#include "codecs/pq/product/table_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace pqw {
namespace {

constexpr std::size_t kRangeRows = 64;  // a tile of codes
constexpr std::size_t kMostRanges = 8;
constexpr std::size_t kProducts = 2048;  // about as many, of rows of x and W
constexpr std::size_t kLeastX = 16;
constexpr std::size_t kMostX = 64;

// Of the logarithms of errors: a normal value exceeds it once in 30,000 times.
constexpr double kDeviations = 4;

}  // namespace

TableErrorMeter::TableErrorMeter(const PqWeight& weight, const DecodeProduct& floats)
    : matrix_(weight.matrix()), row_scales_(weight.row_scales) {
  weigh(weight);
  range_rows_ = std::min(kRangeRows, matrix_.rows);
  const std::size_t n_tiles = matrix_.rows / range_rows_;  // whole ones
  const std::size_t n_ranges = std::min(kMostRanges, n_tiles);
  for (std::size_t i = 0; i < n_ranges; ++i) {
    first_rows_.push_back(i * n_tiles / n_ranges * range_rows_);
  }
  n_x_ = std::clamp(kProducts / (n_ranges * range_rows_), kLeastX, kMostX);
  multiply(weight, floats);
}

void TableErrorMeter::weigh(const PqWeight& weight) {
  const std::size_t d = weight.block_size, n = weight.n_centroids, n_positions = weight.positions();
  column_squares_.resize(n_positions * d);
  std::vector<double> row_squares(matrix_.rows), lengths(n);
  std::vector<double> masses(n);  // the squared scales of the rows with a code
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  for (std::size_t p = 0; p < n_positions; ++p) {
    const float* codebook = weight.codebooks.data() + groups[p] * n * d;
    const std::size_t width = std::min(d, matrix_.cols - p * d);
    for (std::size_t k = 0; k < n; ++k) {
      lengths[k] = 0;
      for (std::size_t j = 0; j < width; ++j) {
        lengths[k] += static_cast<double>(codebook[k * d + j]) * codebook[k * d + j];
      }
    }
    std::ranges::fill(masses, 0.0);
    for (std::size_t r = 0; r < matrix_.rows; ++r) {
      const std::size_t k = weight.codes[p * matrix_.rows + r];
      const double scale = row_scales_.empty() ? 1 : row_scales_[r];
      masses[k] += scale * scale;
      row_squares[r] += scale * scale * lengths[k];
    }
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t j = 0; j < width && masses[k] > 0; ++j) {
        const double value = codebook[k * d + j];
        column_squares_[p * d + j] += masses[k] * value * value;
      }
    }
  }
  double sum = 0, squares = 0;
  for (const double row : row_squares) {
    sum += row;
    squares += row * row;
  }
  effective_rows_ = squares > 0 ? sum * sum / squares : static_cast<double>(matrix_.rows);
}

// ‖y‖² has about the distribution of χ² / n of n rows, whose lower quantiles are those of a cube
// (Wilson and Hilferty 1931).
double TableErrorMeter::cancellation() const {
  constexpr double kFewRows = 32;
  constexpr double kQuantile = -3.7;  // of the normal distribution: one of ten thousand
  constexpr double kLeast = 0.05;
  if (effective_rows_ >= kFewRows) return 1;
  const double variance = 2 / (9 * effective_rows_);
  return std::pow(std::max(kLeast, 1 - variance + kQuantile * std::sqrt(variance)), -1.5);
}

void TableErrorMeter::multiply(const PqWeight& weight, const DecodeProduct& floats) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  x_.resize(n_x_ * weight.cols());
  for (float& value : x_) value = normal(random);
  squared_units_.assign(n_x_, 0.0);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    squared_units_[i / matrix_.cols] +=
        static_cast<double>(x_[i]) * x_[i] * column_squares_[i % matrix_.cols];
  }
  const std::size_t n_products = n_x_ * range_rows_;
  expected_.resize(first_rows_.size() * n_products);
  for (std::size_t i = 0; i < first_rows_.size(); ++i) {
    floats.multiply(first_rows_[i], {x_.data(), n_x_, matrix_.cols},
                    {expected_.data() + i * n_products, n_x_, range_rows_}, false);
  }
}

template <class Product>
TableError TableErrorMeter::measure(const Product& integers) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kExact = 1e-12;  // of errors, whose logarithms are taken
  const std::size_t n_products = n_x_ * range_rows_;
  std::vector<float> y(n_products);
  std::vector<double> squared_errors(n_x_);
  for (std::size_t i = 0; i < first_rows_.size(); ++i) {
    const auto left = integers.multiply(first_rows_[i], {x_.data(), n_x_, matrix_.cols},
                                        {y.data(), n_x_, range_rows_}, false);
    if (!left.empty()) return {kInfinity, kInfinity};
    for (std::size_t k = 0; k < n_products; ++k) {
      const double scale = row_scales_.empty() ? 1 : row_scales_[first_rows_[i] + k % range_rows_];
      const double error = scale * (static_cast<double>(y[k]) - expected_[i * n_products + k]);
      squared_errors[k / range_rows_] += error * error;
    }
  }
  // The tables round all rows of W alike.
  const double share =
      static_cast<double>(first_rows_.size() * range_rows_) / static_cast<double>(matrix_.rows);
  double errors = 0, units = 0, logs = 0, squared_logs = 0;
  for (std::size_t b = 0; b < n_x_; ++b) {
    if (squared_units_[b] == 0) continue;
    errors += squared_errors[b] / share;
    units += squared_units_[b];
    const double error = std::sqrt(squared_errors[b] / share / squared_units_[b]);
    logs += std::log(std::max(error, kExact));
    squared_logs += std::pow(std::log(std::max(error, kExact)), 2);
  }
  if (errors == 0) return {};
  const auto n = static_cast<double>(n_x_);
  const double deviation = std::sqrt(std::max(0.0, squared_logs / n - std::pow(logs / n, 2)));
  return {std::sqrt(errors / units), std::exp(logs / n + kDeviations * deviation)};
}

template TableError TableErrorMeter::measure(const LookupProduct&) const;
template TableError TableErrorMeter::measure(const BatchLookupProduct&) const;
template TableError TableErrorMeter::measure(const DecodeInt8Product&) const;

}  // namespace pqw
