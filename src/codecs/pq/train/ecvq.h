// Entropy-constrained EM: centroids and codes for a trade of error against bits.
//
// P. Chou, T. Lookabaugh, R. Gray, "Entropy-constrained vector quantization" (IEEE Trans. Acoustics,
// Speech and Signal Processing 37, 1989). The E-step takes the centroid with the least J = squared
// distance + lambda · length of its code; lengths follow from how often the codes occur.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "codecs/pq/train/block_span.h"
#include "codecs/pq/train/em.h"

namespace pqw {

struct EcvqProblem {
  BlockSpan blocks;
  BlockWeights weights;                       // with n_rows
  std::span<const std::uint8_t> row_classes;  // [n_rows], below kRowClasses
  double lambda;                              // as in PqOptions
  const OnIteration& on_iteration;
};

// The lengths in bits that codes of each class of rows have by entropy coding, to the nearest
// 2^-16: -log2 of their share in their class. The shares of a class are blended with those of all
// rows, which count as kBlend more codes; so a code that the class lacks has a length, too. A code
// that no row has is as long as kLongest. Layout: float[n_classes][n_centroids]. `codes` are
// position-major, [positions][n_rows].
inline constexpr float kLongest = 24;
inline constexpr double kBlend = 8;
std::vector<float> lengths_of_codes(std::span<const std::uint16_t> codes,
                                    std::span<const std::uint8_t> row_classes,
                                    std::size_t n_centroids);

// Improves a codebook for problem.lambda, starting from smaller values of lambda. Centroids that no
// block takes vanish; so do those whose blocks would lose less with another centroid than the
// centroid itself takes in the archive. `round` rounds the values of a codebook as they will be
// stored; a last E-step gives their codes.
// The observer gets J as the objective, and the number of centroids removed for their bits as
// n_reassigned. Layout: codebook is float[K][d]; the result has at most as many centroids.
// REQUIRES: lambda > 0, at least one block, codes.size() == blocks.count().
std::vector<float> constrain_entropy(const EcvqProblem& problem, std::vector<float> codebook,
                                     std::span<std::uint16_t> codes,
                                     const std::function<void(std::span<float>)>& round);

}  // namespace pqw
