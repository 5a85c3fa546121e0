// Classes of rows with codes of like frequencies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pqw {

// The class of each row, 0..n_classes-1, by its energy, the sum of its squares: classes have equal
// widths in the logarithm of the energy, between the 2 % and the 98 % quantile; rows beyond belong
// to the first and last class. The logarithm is linear between powers of two, the same on all
// machines. REQUIRES: energies are finite and 0 or more, 1 <= n_classes <= 256.
std::vector<std::uint8_t> row_classes(std::span<const double> energies, std::size_t n_classes);

}  // namespace pqw
