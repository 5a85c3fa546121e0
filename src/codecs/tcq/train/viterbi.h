// The Viterbi algorithm: the integers of a chain of rows with the least cost.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/tcq/value/contexts.h"
#include "codecs/tcq/value/trellis.h"

namespace pqw::tcq {

// The cost of each index besides its error: [class][quantizer][index], in units of step². Larger
// indices cost as much as the last one.
inline constexpr std::size_t kRatedIndices = 64;
using Rates = std::vector<std::array<std::array<float, kRatedIndices>, 2>>;

// kLanes rows side by side, a step for each column; then the next group of rows in the same way.
struct Chain {
  std::vector<float> weights;         // [steps][kLanes], in units of the step of their row
  std::vector<std::uint8_t> classes;  // [steps][kLanes], of Rates
  std::vector<std::int16_t> values;   // [steps][kLanes], the result
};

// Fills in the values: the path from state 0 with the least Σ (w - n)² + rate(n). Magnitudes of
// weights are below 32760. The cost is summed in float; with equal costs the first path in a fixed
// order wins. Without rates they are 0, and classes are not used.
class Viterbi {
 public:
  void run(Chain& chain, const Rates* rates);

 private:
  template <bool kRated>
  void forward(const Chain& chain, const Rates* rates);
  template <bool kRated>
  void backward(Chain& chain) const;

  std::vector<std::uint8_t> decisions_;  // [steps][kLanes]: bit s is the predecessor of state s
  std::vector<std::uint8_t> choices_;    // [steps][kLanes]: two bits for each subset
  std::array<unsigned, kLanes> best_ = {};
};

}  // namespace pqw::tcq
