// Checking an answer, independently of the code that gave it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pqw::bench {

struct Checked {
  double objective = 0;  // Σ‖x - c(code of x)‖² over all blocks, in double
  double excess = 0;     // of the codes over the nearest centroids on a sample, as a share
  std::string problem;   // empty: the answer is right
};

// An answer is right when it has K finite centroids and a code below K for every block, and when
// the codes are those of the nearest centroids: on an evenly spaced sample, their summed squared
// distances exceed the least ones, found by a loop in double, by a share of max_excess at most.
Checked check_answer(std::span<const float> blocks, std::size_t block_size, std::size_t n_centroids,
                     std::span<const float> codebook, std::span<const std::uint16_t> codes,
                     double max_excess);

// Σ‖x‖², in double.
double squared_norm(std::span<const float> blocks);

}  // namespace pqw::bench
