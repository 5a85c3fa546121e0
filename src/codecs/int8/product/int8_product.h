// Products of int8 weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pqw/codecs/int8.h"
#include "pqw/codecs/product.h"

namespace pqw {

// y = x Wᵀ. The inputs are quantized on the fly: over a range of x (a row, or the batch),
//   lo = min(0, smallest), hi = max(0, largest), s = (hi - lo) / 255, z = round(-lo / s),
//   q = clamp(round(x / s) + z, 0, 255),   so that |x - s (q - z)| <= s / 2 (and float rounding),
// or with 65535 in place of 255 for inputs of 16 bits, which take two products of bytes. Then the
// products q * value are summed in integers, exactly, and
//   y = s * scale(r) * Σ_c (q[c] - z) (values[r][c] - zero_point(r)), rounded to float.
// The product with the decoded weight in real numbers differs by s / 2 Σ_c |W[r][c]| at most. If
// only few columns have large weights, and x is small there, that may be much of y. So the result
// has the same bits with any instruction set and number of threads, and for a row of x alone as in
// a batch (unless the range is that of the batch). Zeros of x stay exact zeros. If a range holds
// infinity or NaN, its outputs are NaN.
class Int8Product : public Product {
 public:
  // Inputs are quantized to 8 or 16 bits.
  Int8Product(const Int8Weight& weight, unsigned input_bits);

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;
  void decode_row(std::size_t row, std::span<float> out) const override;
  std::string describe(std::size_t batch) const override;

 private:
  struct alignas(64) Line {
    std::int8_t bytes[64];
  };
  class Call;

  void pack(const Int8Weight& weight);
  const std::int8_t* panel(std::size_t index) const { return panels_[index * lines_].bytes; }

  std::size_t lines_;     // of a panel of 16 rows (kernels/int8_product.h): 4 columns each
  std::size_t n_planes_;  // bytes of an input
  ActivationRange activations_;
  std::vector<Line> panels_;         // [panels][lines]
  std::vector<double> scales_;       // [rows]
  std::vector<double> zero_points_;  // [rows], or none
  std::vector<double> sums_;         // [rows]: Σ_c (value - zero point)
};

}  // namespace pqw
