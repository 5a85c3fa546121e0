// The trellis: which integers a state allows, and the state that follows.
//
// State s of 0..7 allows the integers of quantizer s % 2. Index k of quantizer 0 is 2k, of
// quantizer 1 it is 2k - sgn k: both hold 0. The parity of k chooses one of the two next states.
// This is the systematic code of rate 1/2 with the parity-check polynomials 13 and 04 (octal) of
// Ungerboeck's table I.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::tcq {

inline constexpr unsigned kStates = 8;

constexpr unsigned next_state(unsigned state, unsigned parity) {
  return state >> 1 ^ (state & 1 ? 5u : 0u) ^ (parity ? 2u : 0u);
}

// |k| of the integer of magnitude n, and back.
constexpr unsigned index_of(unsigned n, unsigned quantizer) { return (n + quantizer) / 2; }
constexpr unsigned magnitude_of(unsigned index, unsigned quantizer) {
  return 2 * index - (index > 0 ? quantizer : 0);
}

// Rows are coded in groups of kLanes; row l of a group continues in the state in which row l of the
// group before ended, except that every chain of groups begins in state 0. A chain has a group if
// rows are long enough.
inline constexpr std::size_t kLanes = 8;
inline constexpr std::size_t kChainColumns = 128;

constexpr std::size_t groups_per_chain(std::size_t cols) {
  return cols == 0 ? 1 : (kChainColumns + cols - 1) / cols;
}

}  // namespace pqw::tcq
