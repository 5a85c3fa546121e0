// Quantizes inputs on the fly, as integers of 8 or 16 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pqw/codecs/int8.h"
#include "pqw/core/matrix.h"

namespace pqw {

// x = scale * (value - zero_point), see int8_product.cpp.
struct ActivationScale {
  double scale = 1;
  int zero_point = 0;
  bool finite = true;  // else all values are 0
  double sum = 0;      // of the values of the row
  double squares = 0;  // Σ x² of the row
};

// The affine scale that covers lo .. hi and 0 with the values 0 .. n_steps.
ActivationScale scale_of_range(float lo, float hi, int n_steps);

// Values of two bytes are stored as two planes, the low bytes before the high ones.
struct QuantizedActivations {
  std::size_t n_planes = 1;          // bytes of a value
  std::size_t stride = 0;            // bytes from plane to plane; zeros follow the columns
  std::vector<std::uint8_t> values;  // [rows][n_planes][stride]
  std::vector<ActivationScale> rows;
};

// The same bits on any number of threads. REQUIRES: n_planes is 1 or 2.
QuantizedActivations quantize_activations(ConstMatrix x, ActivationRange range,
                                          std::size_t n_planes);

}  // namespace pqw
