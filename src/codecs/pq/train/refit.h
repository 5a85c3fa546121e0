// Moves centroids to where outputs change least, for given codes.
#pragma once

#include <span>

#include "pqw/codecs/input_statistics.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Lowers Σ rows[r] (w-ŵ) H (w-ŵ)ᵀ (codecs/train/input_metric.h) over the codebooks by at most
// `steps` steps of the method of conjugate gradients, preconditioned by the diagonal. `row_weights`
// are [rows], or empty: all 1. Centroids without blocks stay.
// REQUIRES: weight.n_additive == 1; checked statistics with a Gram matrix.
void refit_codebooks(const Blocks& blocks, std::span<const float> row_weights,
                     const InputStatistics& inputs, double damping, std::size_t steps,
                     PqWeight& weight);

}  // namespace pqw
