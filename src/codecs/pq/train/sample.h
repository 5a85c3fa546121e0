// Draws the sample of blocks on which EM explores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codecs/pq/train/block_span.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// The number of blocks in the sample; n_blocks if EM explores on all blocks.
std::size_t sample_size(std::size_t n_blocks, const PqOptions& options);

struct Sample {
  std::vector<float> values;   // float[][d]
  std::vector<float> weights;  // of each block; empty: all 1
};

// The sample: the blocks are cut into runs of nearly equal length, and one block is
// drawn from each, so that the sample covers the matrix. If the sample holds too few distinct
// blocks for the codebook, the first distinct blocks of the matrix are added.
// REQUIRES: more than options.n_centroids distinct blocks; no weights of columns.
Sample sample_blocks(BlockSpan blocks, const PqOptions& options, std::uint64_t seed,
                     const BlockWeights& weights = {});

}  // namespace pqw
