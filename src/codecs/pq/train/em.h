// Trains one codebook by EM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "codecs/pq/train/block_span.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/pq.h"

namespace pqw {

using OnIteration = std::function<void(const EmIteration&)>;

// The centroids that options.engine finds, float[K][d] with K = options.n_centroids, or the number
// of distinct blocks if that is not larger: then every distinct block is a centroid. The run with
// the lowest last objective counts; of equal runs, the first.
// `codes` is scratch space for the codes of the E-steps.
// REQUIRES: options are valid and resolved, blocks.count() >= 1, codes.size() == blocks.count(); with weights
// the engine is native.
std::vector<float> train_codebook(BlockSpan blocks, const BlockWeights& weights,
                                  const PqOptions& options, std::span<std::uint16_t> codes,
                                  const OnIteration& on_iteration);

// k-means of FAISS on all blocks. REQUIRES: more than options.n_centroids distinct blocks.
std::vector<float> train_with_faiss(BlockSpan blocks, const PqOptions& options,
                                    const OnIteration& on_iteration);

}  // namespace pqw
