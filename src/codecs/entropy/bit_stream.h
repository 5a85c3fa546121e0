// Numbers of few bits, one after the other, least significant bit first: bit n of the stream is bit
// n % 8 of byte n / 8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace pqw {

class BitWriter {
 public:
  // REQUIRES: n_bits <= 32, value < 2^n_bits.
  void put(std::uint32_t value, unsigned n_bits) {
    for (unsigned i = 0; i < n_bits; ++i, ++n_bits_) {
      if (n_bits_ % 8 == 0) bytes_.push_back(std::byte{0});
      bytes_.back() |= static_cast<std::byte>(((value >> i) & 1u) << (n_bits_ % 8));
    }
  }

  // `value` zeros, then a one.
  void put_unary(unsigned value) {
    for (unsigned i = 0; i < value; ++i) put(0, 1);
    put(1, 1);
  }

  std::size_t n_bits() const { return n_bits_; }

  // The stream; zeros fill the last byte.
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t n_bits_ = 0;
};

// Never reads beyond its bytes: it gives zeros there, and failed() is true from then on.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // REQUIRES: n_bits <= 32.
  std::uint32_t get(unsigned n_bits) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < n_bits; ++i) value |= bit() << i;
    return value;
  }

  // The number of zeros before a one. Fails if there are more than `limit`.
  unsigned get_unary(unsigned limit) {
    for (unsigned value = 0; value <= limit; ++value) {
      if (bit() == 1) return value;
    }
    failed_ = true;
    return 0;
  }

  void fail() { failed_ = true; }
  bool failed() const { return failed_; }

  // The bytes after the one in which the last bit was. Fails if bits left in that one are not zero.
  std::span<const std::byte> rest() {
    while (n_bits_ % 8 != 0 && !failed_) failed_ = bit() != 0;
    return failed_ ? std::span<const std::byte>() : bytes_.subspan(n_bits_ / 8);
  }

 private:
  std::uint32_t bit() {
    if (n_bits_ / 8 == bytes_.size()) {
      failed_ = true;
      return 0;
    }
    const auto byte = std::to_integer<std::uint32_t>(bytes_[n_bits_ / 8]);
    return (byte >> (n_bits_++ % 8)) & 1u;
  }

  std::span<const std::byte> bytes_;
  std::size_t n_bits_ = 0;
  bool failed_ = false;
};

}  // namespace pqw
