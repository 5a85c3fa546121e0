// Limits how much a packed file may unpack to.
#pragma once

#include <cstdint>

namespace pqw {

// Deflate reaches 1032:1, and data that was never written to an HDF5 file takes no bytes at all.
// Weights look like random numbers and hardly shrink. So a file whose tensors together unpack to
// more than this is treated as a bomb.
inline constexpr std::uint64_t kMaxExpansion = 200;
inline constexpr std::uint64_t kFreeBytes = std::uint64_t{64} << 20;

// A second name of a tensor takes hardly any bytes of a file, but reading all names reads the data
// again for each. Equal tensors of real files have few names: all second names may unpack to this
// many times as much as a file of that size may otherwise.
inline constexpr std::uint64_t kSecondNames = 16;

class Expansion {
 public:
  explicit Expansion(std::uint64_t file_bytes)
      : rest_(file_bytes < (std::uint64_t{1} << 54) ? file_bytes * kMaxExpansion + kFreeBytes
                                                    : UINT64_MAX) {}

  // True if so many more bytes are plausible.
  bool allows(std::uint64_t n_bytes) const { return n_bytes <= rest_; }

  // Counts the bytes. Returns false, and counts nothing, if they are not plausible.
  bool take(std::uint64_t n_bytes) {
    if (!allows(n_bytes)) return false;
    rest_ -= n_bytes;
    return true;
  }

 private:
  std::uint64_t rest_;
};

// The same for files in which a tensor may have several names.
class NamedExpansion {
 public:
  explicit NamedExpansion(std::uint64_t file_bytes)
      : data_(file_bytes),
        second_names_(file_bytes < UINT64_MAX / kSecondNames ? file_bytes * kSecondNames
                                                             : UINT64_MAX) {}

  bool allows(std::uint64_t n_bytes) const { return data_.allows(n_bytes); }
  bool take(std::uint64_t n_bytes, bool is_first_name) {
    return is_first_name ? data_.take(n_bytes) : second_names_.take(n_bytes);
  }

 private:
  Expansion data_, second_names_;
};

}  // namespace pqw
