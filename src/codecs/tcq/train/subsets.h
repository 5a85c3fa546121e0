// The subsets of integers among which a step of the trellis chooses.
#pragma once

#include <array>
#include <cstdint>

#include "codecs/tcq/value/trellis.h"

namespace pqw::tcq {

using Lanes = std::array<float, kLanes>;

// State s follows kBefore[s] and kBefore[s] + 4, with the parities kParity[s] and 1 - kParity[s].
inline constexpr std::array<unsigned, kStates> kBefore = {0, 2, 0, 2, 3, 1, 3, 1};
inline constexpr std::array<unsigned, kStates> kParity = {0, 0, 1, 1, 0, 0, 1, 1};

constexpr bool are_predecessors() {
  for (unsigned s = 0; s < kStates; ++s) {
    if (next_state(kBefore[s], kParity[s]) != s) return false;
    if (next_state(kBefore[s] + 4, 1 - kParity[s]) != s) return false;
  }
  return true;
}
static_assert(are_predecessors());

// Rounds down. REQUIRES: 0 <= value < 2^31.
inline float whole(float value) { return static_cast<float>(static_cast<std::int32_t>(value)); }

// The magnitude next to `a` that is an index of that parity of quantizer 0 or 1. Subset: quantizer
// and parity, 2 q + p.
template <unsigned kSubset>
float nearest(float a) {
  if constexpr (kSubset == 0) return 4 * whole(a * 0.25f + 0.5f);
  if constexpr (kSubset == 1) return 4 * whole(a * 0.25f) + 2;
  if constexpr (kSubset == 2) return a < 1.5f ? 0 : 4 * whole(a * 0.25f - 0.25f) + 3;
  return 4 * whole(a * 0.25f + 0.25f) + 1;
}

// The least magnitude of a subset.
inline constexpr float kLeast[] = {0, 2, 0, 1};

inline float square(float value) { return value * value; }

// Candidates of a subset: the nearest magnitude, the one before it, the least one.
template <unsigned kSubset>
float candidate(float a, unsigned choice) {
  const float n = nearest<kSubset>(a);
  if (choice == 2) return kLeast[kSubset];
  if (choice == 0) return n;
  // 0 is followed by 3 in subset 2, by 4 in subset 0.
  return n - 4 >= kLeast[kSubset] ? n - 4 : kLeast[kSubset];
}

}  // namespace pqw::tcq
