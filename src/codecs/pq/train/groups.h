// The groups of positions that have a codebook each: their blocks, and how many groups pay.
#pragma once

#include <cstddef>
#include <span>

#include "codecs/pq/train/block_span.h"
#include "pqw/codecs/pq.h"

namespace pqw {

std::size_t positions_of(const Blocks& blocks);

BlockSpan group_blocks(const Blocks& blocks, std::size_t group, std::size_t n_groups);

// The number of groups that kAutoGroups stands for: of 1, 2, 4, ... the one with the least
// error * 4^(bits of codebooks per weight). At high rates a bit per weight makes the error four
// times smaller, so the larger codebooks have to earn their bytes. Errors come from a few
// iterations on evenly spaced rows, with equally many blocks per centroid for each number of
// groups: fewer blocks would make an error seem smaller. The trials end after two numbers in a row
// without a better score. Deterministic.
// `row_scales`: the divisors of the rows, [rows]; or empty. REQUIRES: resolved options.
std::size_t choose_groups(const Blocks& blocks, std::span<const float> row_scales,
                          const PqOptions& options);

}  // namespace pqw
