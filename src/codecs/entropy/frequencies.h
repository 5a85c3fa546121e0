// The frequencies of symbols, by which entropy coding gives each symbol its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/entropy/bit_stream.h"

namespace pqw {

// [n_symbols], 1..65536 of them. Their sum is 2^frequency_bits(n_symbols), and a symbol that does
// not occur has 0; or all are 0. A symbol of frequency f takes frequency_bits - log2 f bits.
using Frequencies = std::vector<std::uint32_t>;

inline constexpr std::size_t kMostSymbols = 65536;

// 12 for up to 256 symbols, else 16.
unsigned frequency_bits(std::size_t n_symbols);

// Frequencies that give symbols which occur so often close to the fewest bits. Symbols with a count
// above 0 get 1 or more. REQUIRES: 1..65536 counts, their sum < 2^47.
Frequencies normalised(std::span<const std::uint64_t> counts);

// The length in bits of each symbol, the same on all machines; infinite for a frequency of 0.
// The multiples of 2^-16 next to the true lengths.
std::vector<float> code_lengths(std::span<const std::uint32_t> frequencies);

// Bits that symbols which occur so often take. REQUIRES: counts are 0 where frequencies are.
double coded_bits(std::span<const std::uint64_t> counts,
                  std::span<const std::uint32_t> frequencies);

// Writes frequencies for these counts, rounded as far as it saves bits in all. Returns them as they
// will be read. Layout: docs/archive_format.md, "Entropy-coded symbols".
Frequencies write_frequencies(BitWriter& out, std::span<const std::uint64_t> counts);

// Reads the frequencies of that many symbols; `in` has failed if there are none.
Frequencies read_frequencies(BitReader& in, std::size_t n_symbols);

}  // namespace pqw
