// Entropy-constrained EM: centroids and codes that trade error against bits.
//
// P. Chou, T. Lookabaugh, R. Gray, "Entropy-constrained vector quantization" (IEEE Trans.
// Acoustics, Speech and Signal Processing 37, 1989). In the E-step, a block takes the centroid with
// the least J = squared distance + lambda · length of its code. The lengths, in bits, follow from
// how often the codes occur.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "codecs/pq/train/block_span.h"
#include "codecs/pq/train/em.h"

namespace pqw {

inline constexpr unsigned kMostRowClasses = 4;  // to which entropy coding gives lengths

// The mean square of the weights that lambda is a share of, padding included.
double mean_square(BlockSpan blocks, const BlockWeights& weights);

struct EcvqProblem {
  BlockSpan blocks;
  BlockWeights weights;   // with n_rows
  double lambda;          // as in PqOptions
  unsigned most_classes;  // of rows
  double bits_per_value;  // of a value of the codebook in the archive
  const OnIteration& on_iteration;
};

// Improves a codebook for problem.lambda, starting from smaller values of lambda. Removes centroids
// that no block takes, and centroids that lower J by less than lambda · the bits that they take in
// the archive themselves. `round` rounds the values of a codebook as they will be stored; then a
// last E-step finds the codes.
// problem.on_iteration gets J as the objective, and as n_reassigned the number of centroids that
// were removed because of their bits. Layout: codebook is float[K][d]; the result has at most as
// many centroids.
// REQUIRES: lambda > 0, at least one block, codes.size() == blocks.count().
std::vector<float> constrain_entropy(const EcvqProblem& problem, std::vector<float> codebook,
                                     std::span<std::uint16_t> codes,
                                     const std::function<void(std::span<float>)>& round);

}  // namespace pqw
