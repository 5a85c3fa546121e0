// Measures how far the outputs of a layer are from those of the original.
#pragma once

#include "pqw/core/matrix.h"

namespace pqw {

// Sums over the outputs y = x Wᵀ of a layer, without biases.
struct OutputError {
  double squared_error = 0;  // ‖X(W-Ŵ)ᵀ‖²
  double squared_norm = 0;   // ‖XWᵀ‖²

  void add(const OutputError& other);

  // squared_error / squared_norm. 0 when no output differs; infinity when all outputs of w are zero
  // and those of ŵ are not.
  double relative() const;
};

// For the inputs x [n][cols] and weights [rows][cols], summed in double. The result does not depend
// on the number of threads. x may have G times as many columns, for the G groups of a convolution: W
// is G equal runs of rows, and run g sees the columns g * cols .. + cols - 1 of x.
OutputError measure_outputs(ConstMatrix w, ConstMatrix w_hat, ConstMatrix x);

// Its relative().
double output_error(ConstMatrix w, ConstMatrix w_hat, ConstMatrix x);

}  // namespace pqw
