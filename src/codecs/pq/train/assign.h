// The E-step: assigns each block to its nearest centroid.
#pragma once

#include <cstdint>
#include <span>

#include "codecs/pq/train/block_span.h"

namespace pqw {

// Gives every block the code of its nearest centroid (exhaustive, ties to the lowest index) and
// returns the objective Σ‖x - c(x)‖², summed in an order that does not depend on the threads. With
// weights, distances and objective are weighted. The bias of a centroid is added to its weighted
// squared distances.
// Layout: codebook is float[K][d]; biases float[K], or empty: all 0. REQUIRES: codes.size() ==
// blocks.count(), 1 <= K <= 65536; biases are finite and 0 or more, and without weights of rows.
double assign(BlockSpan blocks, std::span<const float> codebook, std::span<std::uint16_t> codes,
              const BlockWeights& weights = {}, std::span<const float> biases = {});

}  // namespace pqw
