// Codes whose errors later codes of the row make up for, so that outputs stay.
//
// As GPTQ (E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
// Transformers", 2022) and its form for blocks, GPTVQ (M. van Baalen et al., "GPTVQ: The Blessing of
// Dimensionality for LLM Quantization", 2024), but with the factor L of H = L Lᵀ in place of the
// factor of the inverse of H (codecs/train/input_metric.h). The error of a row is ‖(w-ŵ) L‖². L is
// lower triangular: part b of (w-ŵ) L depends on the blocks a >= b only. So blocks get their codes
// from the last to the first. Block b takes the centroid c with the least
// ‖(w_b - c) L_bb + Σ_{a>b} (w_a - ŵ_a) L_ab‖². Columns of low energy come first in L, so that
// blocks of high energy are coded while all others can still make up for their errors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pqw/codecs/input_statistics.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Rows that share the biases of centroids (assign.h): float[K], or empty.
struct BiasedRows {
  std::vector<std::size_t> rows;
  std::vector<float> biases;
};

class Feedback {
 public:
  // REQUIRES: checked statistics of the weight with a Gram matrix, damping > 0.
  Feedback(const InputStatistics& inputs, MatrixShape weight, std::size_t block_size,
           double damping);

  // Sets the codes of these rows. Rows of the blocks are rows of the weight.
  // REQUIRES: weight.n_additive == 1; the weight has codebooks, and room for the codes.
  void assign(const Blocks& blocks, std::span<const BiasedRows> sets, PqWeight& weight) const;

 private:
  // Positions whose columns share a block of the Gram matrix of a group.
  struct Part {
    std::vector<std::size_t> positions;  // in the order of `lower`
    std::vector<float> lower;            // L: [n][n], n = positions.size() * block size
  };
  struct Chunk;
  void assign_chunk(const Part& part, const Chunk& chunk, PqWeight& weight) const;

  std::size_t d_;
  std::size_t rows_per_group_;
  std::vector<std::vector<Part>> parts_;  // of each group
};

}  // namespace pqw
