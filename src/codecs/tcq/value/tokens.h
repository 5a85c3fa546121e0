// Tokens: the symbols that are entropy-coded, and the raw bits beside them.
//
// An index below 16 is its own token. Larger ones are in octaves 16·2^e .. 32·2^e - 1: token
// 16 + 2e + parity, then raw bits that count the indices of that parity. So the parity of an index
// is the parity of its token. A sign follows as one raw bit unless the index is 0.
#pragma once

#include <bit>
#include <cstdint>

namespace pqw::tcq {

inline constexpr unsigned kDirect = 16;
inline constexpr unsigned kOctaves = 11;
inline constexpr unsigned kTokens = kDirect + 2 * kOctaves;

constexpr unsigned octave_of(unsigned index) {
  return static_cast<unsigned>(std::bit_width(index)) - 5;
}
constexpr unsigned token_of(unsigned index) {
  return index < kDirect ? index : kDirect + 2 * octave_of(index) + index % 2;
}
// REQUIRES: token >= kDirect.
constexpr unsigned raw_bits(unsigned token) { return 3 + (token - kDirect) / 2; }
constexpr unsigned raw_of(unsigned index) { return (index - (kDirect << octave_of(index))) / 2; }
constexpr unsigned index_of_raw(unsigned token, unsigned raw) {
  return (kDirect << (token - kDirect) / 2) + 2 * raw + token % 2;
}

}  // namespace pqw::tcq
