// The metric of the errors of outputs, for encoders.
//
// The squared error of the outputs y = x Wᵀ is Σ (w-ŵ) H (w-ŵ)ᵀ over the rows of W, where H is the
// mean of xᵀx. It is a sum of squares with the factor L of H = L Lᵀ: Σ ‖(w-ŵ) L‖².
//
// Here, H is the Gram matrix of the statistics divided by the mean of its diagonal, plus a damping
// on the diagonal. Damping makes H positive definite if there are fewer inputs than columns, and
// keeps encoders from relying on correlations of the sample.
//
// In a convolution of G groups, each group of rows has an H of its own, a diagonal block of the whole
// H; the damping of a group is relative to the mean of its own diagonal.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/codecs/input_statistics.h"
#include "pqw/core/matrix.h"

namespace pqw {

inline constexpr double kDamping = 0.01;  // if there is no reason for another one
// Among which held-out inputs choose; the strongest is the last.
inline constexpr double kDampings[] = {kDamping, 0.001, 0.1, 1};

// Errors: kInvalidArgument if the statistics have other columns than such a weight or its groups, or
// if a number is NaN, infinite, or a negative second moment.
void check_inputs(const InputStatistics& inputs, MatrixShape weight);

// The mean of the diagonal of H of each group of a weight with so many columns: [n_groups].
std::vector<double> group_energies(const InputStatistics& inputs, std::size_t weight_cols);

// The diagonal of H for all columns of all groups, from the second moments: [inputs.cols].
std::vector<float> column_energies(const InputStatistics& inputs, std::size_t weight_cols,
                                   double damping);

// H by the product of an importance for each row and one for each column: the diagonal of H for the
// columns, [weight_cols], in the mean of the groups; and what the groups differ by, times the given
// importances, [weight.rows], or empty if both are 1.
std::vector<float> column_importances(const InputStatistics& inputs, std::size_t weight_cols);
std::vector<float> row_importances(const InputStatistics& inputs, MatrixShape weight,
                                   std::span<const float> given);

// The lower factor L of H for these columns of a group in this order, [n][n]. Rows and columns of padding
// (indices >= weight_cols) are 0. Damping rises by powers of 10 until rounding errors let H be
// positive definite. REQUIRES: a Gram matrix, damping > 0.
std::vector<float> cholesky_factor(const InputStatistics& inputs, std::size_t weight_cols,
                                   std::size_t group, std::span<const std::size_t> columns,
                                   double damping);

// e H. Layout: e and the result are [weight.rows][stride], stride >= weight.cols; padding becomes 0.
// REQUIRES: a Gram matrix.
std::vector<float> times_metric(const InputStatistics& inputs, MatrixShape weight, double damping,
                                std::span<const float> e, std::size_t stride);

}  // namespace pqw
