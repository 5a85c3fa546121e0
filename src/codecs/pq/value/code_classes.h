// Classes of codes: each class has frequencies of its own when codes are entropy-coded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pqw/codecs/pq.h"

namespace pqw {

// The class of a code is the class of its row, or of its position.
struct CodeClasses {
  bool by_position = false;
  unsigned bits = 0;             // there are 2^bits classes, at most 2^kMostClassBits
  std::vector<std::uint8_t> of;  // [rows] or [positions]; empty for one class

  std::size_t count() const { return std::size_t{1} << bits; }
  std::uint8_t at(std::size_t position, std::size_t row) const {
    return of.empty() ? std::uint8_t{0} : of[by_position ? position : row];
  }
};

inline constexpr unsigned kMostClassBits = 4;

// Counts each code. Layout: [groups][classes][centroids].
std::vector<std::uint64_t> count_codes(const PqWeight& weight, const CodeClasses& classes);

// The classes with which codes and tables take the fewest bits, of a few that are tried: 1, 2 or 4
// classes of rows, 4 of positions. They begin with the row classes of row_classes.h (positions: in
// the same way), then each row moves to the class in which its codes take the fewest bits.
// Deterministic. REQUIRES: the weight has codes.
CodeClasses best_code_classes(const PqWeight& weight);

}  // namespace pqw
