// The Viterbi algorithm where the errors of a path change what follows on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/tcq/train/subsets.h"
#include "codecs/tcq/train/viterbi.h"

namespace pqw::tcq {

// Columns that are coded between two decisions. The best path through the trellis hardly ever
// changes that far back.
inline constexpr std::size_t kPanel = 32;

// One step for kLanes rows, in units of their steps.
struct SurvivorStep {
  const float* weights;                 // [kLanes]
  const float* targets;                 // [kLanes], weights and the feedback of decided columns
  std::span<const Lanes> coefficients;  // of the feedback of each undecided column
  Lanes energies;                       // what a squared error counts
  const std::uint8_t* classes;          // [kLanes], of rates
  const Rates* rates;                   // null: all 0
};

// The best path to each state, with its errors since the last decision (per-survivor processing: R.
// Raheli, A. Polydoros, C. Tzou, "Per-survivor processing", IEEE Trans. Communications 43, 1995).
class Survivors {
 public:
  // Paths begin in these states.
  void begin(const std::array<unsigned, kLanes>& states);

  // A path takes integer n at the cost energy * (target + Σ coefficients * errors - n)²; its error
  // is weight - n.
  void extend(const SurvivorStep& step);

  // Decides the first n undecided columns by the best paths, and ends paths that differ from them.
  // Layout: errors is [n][kLanes].
  void decide(std::size_t n, float* errors);

  // The states in which the best paths end.
  std::array<unsigned, kLanes> best() const;

 private:
  using OfStates = std::array<Lanes, kStates>;

  OfStates costs_;
  std::size_t n_undecided_ = 0;
  std::array<OfStates, 2 * kPanel> buffers_[2];
  unsigned current_ = 0;  // buffer
};

}  // namespace pqw::tcq
