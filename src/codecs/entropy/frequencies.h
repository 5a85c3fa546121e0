// The frequencies of symbols, from which entropy coding derives the length of each symbol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/entropy/bit_stream.h"

namespace pqw {

// [n_symbols], 1 <= n_symbols <= kMostSymbols. The sum is 2^frequency_bits(n_symbols), and a symbol
// that does not occur has 0; or all are 0. A symbol of frequency f takes frequency_bits - log2(f)
// bits.
using Frequencies = std::vector<std::uint32_t>;

inline constexpr std::size_t kMostSymbols = 65536;

// 12 for up to 256 symbols, else 16.
unsigned frequency_bits(std::size_t n_symbols);

// Frequencies for which symbols with these counts take close to the fewest bits. Symbols with a
// count above 0 get 1 or more. REQUIRES: 1..kMostSymbols counts, their sum < 2^47.
Frequencies normalised(std::span<const std::uint64_t> counts);

// The length in bits of each symbol, [n_symbols], the same on all machines: a multiple of 2^-16
// next to the true length; infinity for a frequency of 0.
std::vector<float> code_lengths(std::span<const std::uint32_t> frequencies);

// The bits that symbols with these counts take together. REQUIRES: counts are 0 where frequencies
// are 0.
double coded_bits(std::span<const std::uint64_t> counts,
                  std::span<const std::uint32_t> frequencies);

// Writes frequencies for these counts, rounded as far as that saves bits of frequencies and symbols
// together. Returns them as they will be read. Layout: docs/archive_format.md, "Entropy-coded
// symbols".
Frequencies write_frequencies(BitWriter& out, std::span<const std::uint64_t> counts);

// Reads the frequencies of that many symbols. Returns nothing and lets `in` fail if the bits are
// not such frequencies.
Frequencies read_frequencies(BitReader& in, std::size_t n_symbols);

}  // namespace pqw
