// Exploring on a part of the blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codecs/pq/train/block_span.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Of how many blocks a codebook's training explores on; n_blocks when on all of them.
std::size_t sample_size(std::size_t n_blocks, const PqOptions& options);

// That many blocks, float[][d]: one drawn from each of as many runs of nearly equal length, so that
// the sample follows the matrix. Where they hold too few distinct ones for the codebook, the first
// distinct blocks of the matrix come on top.
// REQUIRES: more than options.n_centroids distinct blocks.
std::vector<float> sample_blocks(BlockSpan blocks, const PqOptions& options, std::uint64_t seed);

}  // namespace pqw
