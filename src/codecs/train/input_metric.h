// The metric of the errors of outputs, for encoders.
//
// The squared error of the outputs y = x Wᵀ is Σ (w-ŵ) H (w-ŵ)ᵀ over the rows of W, where H is the
// mean of xᵀx. It is a sum of squares with the factor L of H = L Lᵀ: Σ ‖(w-ŵ) L‖².
//
// Here, H is the Gram matrix of the statistics divided by the mean of its diagonal, plus a damping
// on the diagonal. Damping makes H positive definite if there are fewer inputs than columns, and
// keeps encoders from relying on correlations of the sample.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/codecs/input_statistics.h"

namespace pqw {

inline constexpr double kDamping = 0.01;  // if there is no reason for another one
inline constexpr double kDampings[] = {kDamping, 0.001, 0.1,
                                       1};  // among which held-out inputs choose

// Errors: kInvalidArgument if the statistics are not those of `cols` columns, or if a number is
// NaN, infinite, or a negative second moment.
void check_inputs(const InputStatistics& inputs, std::size_t cols);

// The diagonal of H for all columns, from the second moments: [cols].
std::vector<float> column_energies(const InputStatistics& inputs, double damping);

// The lower factor L of H for the columns in this order, [n][n]. Rows and columns of padding
// (indices >= inputs.cols) are 0. Damping rises by powers of 10 until rounding errors let H be
// positive definite. REQUIRES: a Gram matrix, damping > 0.
std::vector<float> cholesky_factor(const InputStatistics& inputs,
                                   std::span<const std::size_t> columns, double damping);

// e H. Layout: e and the result are [n_rows][stride], stride >= inputs.cols; padding becomes 0.
// REQUIRES: a Gram matrix.
std::vector<float> times_metric(const InputStatistics& inputs, double damping,
                                std::span<const float> e, std::size_t stride);

}  // namespace pqw
