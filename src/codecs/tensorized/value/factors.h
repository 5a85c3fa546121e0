// The factors of one layer as floats, ready to compute with.
#pragma once

#include <vector>

#include "kernels/contraction.h"
#include "pqw/codecs/tensorized.h"

namespace pqw::tensorized {

struct Factors {
  // Of one layer: n_layers is 1. A layer of several has a mode of 1 before those of its rows.
  TensorLayout layout;
  std::vector<std::vector<float>> values;                // of factor_shapes(layout)
  const kernels::ContractionKernels* kernels = nullptr;  // those in use
};

// Decodes them, and picks the layer. Errors: those of kernel_name (codecs/kernels.h).
Factors decode_factors(const TensorizedWeight& weight);

// The same with the rows first .. first+count-1 only of the mode of rows that runs slowest: a
// matrix of fewer rows, that many times `rows_of_first_digit`.
// REQUIRES: the digits exist.
void keep_first_digits(Factors& factors, std::size_t first, std::size_t count);

// How many rows have the same digit in the slowest mode of several.
std::size_t rows_of_first_digit(const TensorLayout& layout);

}  // namespace pqw::tensorized
