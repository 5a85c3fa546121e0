// Codebooks and rows of x as integers.
#include "codecs/pq/product/integer_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "codecs/float_range.h"
#include "kernels/lookup.h"

namespace pqw {
namespace {

constexpr double kLargest = 32766;

// The smallest step in which the largest value and the largest squared norm are small enough; the
// norm before rounding, which can add sqrt(d) / 2.
double step_of(double largest, double squared_norm, std::size_t block_size, double headroom) {
  const double largest_norm = 46300 / headroom - 0.5 * std::sqrt(static_cast<double>(block_size));
  return std::max(largest / kLargest, std::sqrt(squared_norm) / largest_norm);
}

// To the nearest integer, ties to even. REQUIRES: |value| < 2^22.
std::int16_t round_to_int16(float value) {
  constexpr float kShift = 0x1.8p23f;  // here floats are one apart
  return static_cast<std::int16_t>(std::bit_cast<std::int32_t>(value + kShift) -
                                   std::bit_cast<std::int32_t>(kShift));
}

double square(double value) { return value * value; }

double largest_squared_norm(std::span<const float> values, std::size_t block_size) {
  double largest = 0;
  for (std::size_t begin = 0; begin < values.size(); begin += block_size) {
    double even = 0, odd = 0;  // two sums at a time
    const std::size_t end = std::min(begin + block_size, values.size());
    std::size_t i = begin;
    for (; i + 2 <= end; i += 2) {
      even += square(values[i]);
      odd += square(values[i + 1]);
    }
    if (i < end) even += square(values[i]);
    largest = std::max(largest, even + odd);
  }
  return largest;
}

}  // namespace

IntegerCodebooks::IntegerCodebooks(const PqWeight& weight, const std::vector<float>& codebooks,
                                   std::size_t n_entries, std::size_t lanes,
                                   std::size_t n_padded_positions)
    : n_pairs_((weight.block_size + 1) / 2), has_one_(weight.n_groups == 1) {
  const std::size_t d = weight.block_size;
  const std::size_t codebook_values = n_entries * 2 * n_pairs_;
  const std::size_t n_bytes = weight.n_groups * codebook_values * sizeof(std::int16_t);
  values_ = allocate_aligned(n_bytes);
  std::fill_n(values_.get(), n_bytes, std::byte{0});
  std::vector<double> group_steps;
  for (std::size_t g = 0; g < weight.n_groups; ++g) {
    auto* values = reinterpret_cast<std::int16_t*>(values_.get()) + g * codebook_values;
    const std::size_t n_values = weight.n_centroids * d;
    const std::span<const float> codebook(codebooks.data() + g * n_values, n_values);
    const double step =
        step_of(largest_magnitude(codebook), largest_squared_norm(codebook, d), d, 1);
    for (std::size_t k = 0; k < weight.n_centroids && step > 0; ++k) {
      for (std::size_t j = 0; j < d; ++j) {
        const std::size_t place = lanes == kInOrder
                                      ? k * 2 * n_pairs_ + j
                                      : kernels::centroid_place(k, j, n_pairs_, lanes);
        values[place] = static_cast<std::int16_t>(std::nearbyint(codebook[k * d + j] / step));
      }
    }
    group_steps.push_back(step);
  }
  const auto* values = reinterpret_cast<const std::int16_t*>(values_.get());
  for (const std::size_t group : group_of_positions(weight, n_padded_positions)) {
    centroids_.push_back(values + group * codebook_values);
    steps_.push_back(group_steps[group]);
  }
}

bool quantize_positions(const float* x, std::size_t n_columns, std::size_t block_size,
                        const IntegerCodebooks& codebooks, std::size_t first, std::size_t n,
                        std::size_t headroom, std::int16_t* out, double* factor) {
  const std::size_t d = block_size;
  const std::size_t row_values = 2 * codebooks.n_pairs();
  std::fill_n(out, n * row_values, std::int16_t{0});
  const std::size_t end = std::min(first + n, (n_columns + d - 1) / d);
  // The positions from p that share a codebook, up to `end`.
  const auto run_end = [&](std::size_t p) {
    if (codebooks.has_one()) return end;
    const std::size_t begin = p;
    while (p < end && codebooks.steps()[p] == codebooks.steps()[begin]) ++p;
    return p;
  };
  double step = 0;
  for (std::size_t p = first; p < end;) {
    const std::size_t next = run_end(p);
    const std::span<const float> values(x + p * d, std::min(next * d, n_columns) - p * d);
    const float largest = largest_magnitude(values);
    if (!(largest <= std::numeric_limits<float>::max())) return false;
    step = std::max(step, codebooks.steps()[p] * step_of(largest, largest_squared_norm(values, d),
                                                         d, static_cast<double>(headroom)));
    p = next;
  }
  *factor = step;
  if (step == 0) return true;
  constexpr double kLeast = std::numeric_limits<float>::min();
  if (!(step * 0x1p16 >= kLeast) || step * 0x1p32 > std::numeric_limits<float>::max()) return false;
  for (std::size_t p = first; p < end;) {
    const std::size_t next = row_values == d ? run_end(p) : p + 1;
    const double scale = codebooks.steps()[p] / step;
    if (scale > std::numeric_limits<float>::max()) return false;
    const auto to_integer = static_cast<float>(scale);
    const std::size_t n_values = std::min(next * d, n_columns) - p * d;
    std::int16_t* integers = out + (p - first) * row_values;
    for (std::size_t i = 0; i < n_values; ++i) {
      integers[i] = round_to_int16(x[p * d + i] * to_integer);
    }
    p = next;
  }
  return true;
}

}  // namespace pqw
