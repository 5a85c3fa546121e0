// Contexts: how large integers are expected to be, from what a decoder knows. In integers only, so
// that all machines agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pqw::tcq {

// Levels and classes are in half octaves of a standard deviation: an integer of level L is about
// 2^(L/2). Class c is level c - kClassOffset.
inline constexpr int kLowestLevel = -16;
inline constexpr int kHighestLevel = 31;
inline constexpr int kClassOffset = 8;
inline constexpr int kClasses = 24;

// round(log2(energy / count)), halves up, within the limits; energy is a sum of squares.
int level_of(std::uint64_t energy, std::uint64_t count);

// Sums of energies of columns over the rows so far, and the class of each column relative to the
// mean of all.
class ColumnClasses {
 public:
  explicit ColumnClasses(std::size_t cols) : energies_(cols), classes_(cols) {}

  // -8..8, added to the level of a row. All 0 before the first row.
  std::span<const std::int8_t> classes() const { return classes_; }

  // Adds the energies of a row [cols] of that level.
  void add_row(const std::int16_t* row, int level);

  // Ends a group: computes the classes for the next one.
  void end_group();

 private:
  std::vector<std::uint32_t> energies_;
  std::vector<std::int8_t> classes_;
  std::uint32_t n_rows_ = 0;
};

}  // namespace pqw::tcq
