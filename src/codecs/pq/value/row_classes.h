// Row classes: rows of similar energy, whose codes have similar frequencies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pqw {

// The class of each row, 0..n_classes-1, by its energy (the sum of the squares of its weights):
// [rows]. Classes have equal widths in the logarithm of the energy, between its 2 % and 98 %
// quantiles; rows beyond them belong to the first or the last class. The logarithm is interpolated
// linearly between powers of two, so that it is the same on all machines. REQUIRES: energies are
// finite and 0 or more, 1 <= n_classes <= 256.
std::vector<std::uint8_t> row_classes(std::span<const double> energies, std::size_t n_classes);

}  // namespace pqw
