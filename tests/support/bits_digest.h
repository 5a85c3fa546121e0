// A number that stands for the bits of values, to compare them with results of another machine.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace pqw::test {

// FNV-1a of 64 bits, over values of 32 bits.
template <class T>
std::uint64_t bits_digest(std::span<const T> values) {
  std::uint64_t digest = 0xcbf29ce484222325u;
  for (const T value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) {
      digest = (digest ^ ((bits >> shift) & 255)) * 0x100000001b3u;
    }
  }
  return digest;
}

}  // namespace pqw::test
