// Measures how far the outputs of a layer are from those of the original.
#pragma once

#include "pqw/core/matrix.h"

namespace pqw {

// ‖X(W-Ŵ)ᵀ‖² / ‖XWᵀ‖², the relative error of the outputs for the inputs x [n][cols], summed in
// double. The weights are [rows][cols]. The result does not depend on the number of threads. 0 when
// no output differs; infinity when all outputs of w are zero and those of ŵ are not.
double output_error(ConstMatrix w, ConstMatrix w_hat, ConstMatrix x);

}  // namespace pqw
