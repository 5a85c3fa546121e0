// The order of the bytes of numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pqw {

// REQUIRES: bytes.size() >= sizeof(T).
template <class T>
T load_little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return static_cast<T>(value);
}

// REQUIRES: bytes.size() >= sizeof(T).
template <class T>
void store_little_endian(T value, std::span<std::byte> bytes) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
  }
}

// Reverses the bytes of every element. REQUIRES: whole elements.
inline void swap_bytes(std::span<std::byte> bytes, std::size_t element_bytes) {
  for (; !bytes.empty(); bytes = bytes.subspan(element_bytes)) {
    std::ranges::reverse(bytes.first(element_bytes));
  }
}

}  // namespace pqw
