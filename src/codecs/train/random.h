// Random numbers that are the same with every standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace pqw {

using Random = std::mt19937_64;

// Uniform in 0 .. n-1. REQUIRES: n >= 1.
inline std::size_t below(std::size_t n, Random& random) {
  const std::uint64_t limit = Random::max() - Random::max() % n;
  std::uint64_t draw = random();
  while (draw >= limit) draw = random();
  return draw % n;
}

// Uniform in [0, 1).
inline double unit(Random& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

}  // namespace pqw
