// Learns additive codebooks: a block is the sum of one centroid of each codebook.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codecs/pq/train/block_span.h"
#include "codecs/pq/train/em.h"

namespace pqw {

struct AdditiveCodebooks {
  std::vector<float> values;         // [n_additive][K][d]
  std::vector<std::uint16_t> codes;  // [n_additive][blocks]
};

// Minimises Σ‖x - Σ_m c_m(x)‖², weighted by rows, over options.n_additive codebooks of at most K =
// options.n_centroids centroids each. The first codebooks are those of residual quantization (Y.
// Chen, T. Guan, C. Wang, "Approximate nearest neighbor search by residual vector quantization",
// Sensors 10, 2010): EM learns each one on the residuals of those before it. Then follow rounds of
// alternating least squares and a beam search for the codes, as in A. Babenko, V. Lempitsky,
// "Additive quantization for extreme vector compression" (CVPR 2014). The objective falls in every
// round. At the end the codebooks are rounded to `dtype`, and the codes are searched once more. The
// result does not depend on the number of threads.
// REQUIRES: the same as train_codebook; no weights of columns; the engine is native.
AdditiveCodebooks train_additive(BlockSpan blocks, const BlockWeights& weights,
                                 const PqOptions& options, DType dtype,
                                 const OnIteration& on_iteration);

// Gives each block the codes of the least ‖x - Σ_m c_m‖² that a beam of width `beam` finds; a block
// keeps its codes unless others are nearer. Returns the objective, weighted by rows.
// Layout: books.values is float[n_additive][K][d], books.codes [n_additive][blocks].
// REQUIRES: 1 <= n_additive <= kMostAdditive, beam >= 1.
double search_codes(BlockSpan blocks, const BlockWeights& weights, std::size_t beam,
                    AdditiveCodebooks& books, std::size_t n_additive);

}  // namespace pqw
