// Packs codes of any width into bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pqw {

// The number of bits that a code of `n_values` values needs: ceil(log2 n), 0 for one value.
unsigned bits_for(std::size_t n_values);

// Layout: code i occupies bits i*bits .. i*bits+bits-1 of the stream, least significant bit first;
// bit b of the stream is bit b%8 of byte b/8. The last byte is padded with zero bits.
// REQUIRES: bits <= 16, every code < 2^bits.
std::vector<std::byte> pack_bits(std::span<const std::uint16_t> codes, unsigned bits);

// The inverse. REQUIRES: bits <= 16, packed.size() >= packed_size(codes.size(), bits).
void unpack_bits(std::span<const std::byte> packed, unsigned bits, std::span<std::uint16_t> codes);

// Bytes that `count` codes of `bits` bits take.
std::size_t packed_size(std::size_t count, unsigned bits);

}  // namespace pqw
