// Rows of x to integers before a product of bytes, and its sums to floats after it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// The least and greatest value of a row, 0 included.
struct RowRange {
  float lo = 0;
  float hi = 0;
  float probe = 0;     // NaN when a value is not finite
  double squares = 0;  // Σ x²
};

// Maps x to round(clamp(x * unit * inverse, least, most)) + zero_point, ties to even.
struct Rounding {
  float unit;
  float inverse;
  float least;
  float most;
  std::int32_t zero_point;
};

// Sums of products of a row of x, whose integers are of one byte or two, with n rows of a weight.
template <class Sum>  // int32, or double for many columns
struct Int8Sums {
  const Sum* low;             // with the low bytes of x
  const Sum* high;            // with the high bytes, or null
  const double* zero_points;  // of the rows of the weight, or null
  const double* row_sums;     // of the integers of the rows of the weight, less their zero points
  const double* scales;       // of the rows of the weight
  std::size_t n;
  double x_sum;  // of the integers of x
  double x_zero_point;
  double x_scale;
};

// Every instruction set gives the same bits.
struct Int8RowKernels {
  RowRange (*range)(const float* x, std::size_t n);

  // Integers of one byte, or the low and the high bytes of two; returns their sum. REQUIRES: each
  // fits in 8 bits (to_bytes) or 16 bits (to_words).
  std::uint64_t (*to_bytes)(const float* x, std::size_t n, const Rounding& rounding,
                            std::uint8_t* bytes);
  std::uint64_t (*to_words)(const float* x, std::size_t n, const Rounding& rounding,
                            std::uint8_t* low, std::uint8_t* high);

  // y[r] = (sums[r] - zero_point * row_sums[r]) * unit. REQUIRES: the integers fit into 32 bits.
  void (*to_floats)(const std::int32_t* sums, const std::int32_t* row_sums, std::size_t n,
                    std::int32_t zero_point, float unit, float* y);

  // y[r] = (low[r] + 256 high[r] - x_sum zero_points[r] - x_zero_point row_sums[r]) * (x_scale
  // scales[r]), in double.
  void (*scaled_to_floats)(const Int8Sums<std::int32_t>& sums, float* y);
  void (*scaled_totals_to_floats)(const Int8Sums<double>& sums, float* y);
};

extern const Int8RowKernels int8_rows_portable;
extern const Int8RowKernels int8_rows_avx2;
extern const Int8RowKernels int8_rows_avx512;  // AVX-512 BW

}  // namespace pqw::kernels
