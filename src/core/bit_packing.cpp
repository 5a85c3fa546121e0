// Codes of any width packed into bytes.
#include "core/bit_packing.h"

#include <bit>
#include <cassert>

namespace pqw {

unsigned bits_for(std::size_t n_values) {
  return n_values <= 1 ? 0 : static_cast<unsigned>(std::bit_width(n_values - 1));
}

std::size_t packed_size(std::size_t count, unsigned bits) {
  return count / 8 * bits + (count % 8 * bits + 7) / 8;  // count * bits could overflow
}

std::vector<std::byte> pack_bits(std::span<const std::uint16_t> codes, unsigned bits) {
  assert(bits <= 16);
  std::vector<std::byte> packed(packed_size(codes.size(), bits));
  std::uint32_t pending = 0;
  unsigned n_pending = 0;
  std::size_t at = 0;
  for (const std::uint16_t code : codes) {
    assert((static_cast<std::uint32_t>(code) >> bits) == 0);
    pending |= static_cast<std::uint32_t>(code) << n_pending;
    for (n_pending += bits; n_pending >= 8; n_pending -= 8, pending >>= 8) {
      packed[at++] = static_cast<std::byte>(pending & 0xffu);
    }
  }
  if (n_pending > 0) packed[at] = static_cast<std::byte>(pending & 0xffu);
  return packed;
}

void unpack_bits(std::span<const std::byte> packed, unsigned bits, std::span<std::uint16_t> codes) {
  assert(bits <= 16 && packed.size() >= packed_size(codes.size(), bits));
  const std::uint32_t mask = (1u << bits) - 1u;
  std::uint32_t pending = 0;
  unsigned n_pending = 0;
  std::size_t at = 0;
  for (std::uint16_t& code : codes) {
    for (; n_pending < bits; n_pending += 8) {
      pending |= static_cast<std::uint32_t>(packed[at++]) << n_pending;
    }
    code = static_cast<std::uint16_t>(pending & mask);
    pending >>= bits;
    n_pending -= bits;
  }
}

}  // namespace pqw
