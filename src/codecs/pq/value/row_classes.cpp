// Row classes by energy.
#include "codecs/pq/value/row_classes.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace pqw {

std::vector<std::uint8_t> row_classes(std::span<const double> energies, std::size_t n_classes) {
  assert(n_classes >= 1 && n_classes <= 256);
  std::vector<std::uint8_t> classes(energies.size());
  if (energies.empty()) return classes;
  // The bits of a double that is 0 or more, exponent then mantissa, grow like this logarithm.
  std::vector<std::uint64_t> logs(energies.size());
  std::transform(energies.begin(), energies.end(), logs.begin(),
                 [](double energy) { return std::bit_cast<std::uint64_t>(energy) >> 24; });
  std::vector<std::uint64_t> sorted = logs;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n_beyond = sorted.size() / 50;
  const std::uint64_t low = sorted[n_beyond];
  const std::uint64_t high = sorted[sorted.size() - 1 - n_beyond];
  if (low == high) return classes;
  for (std::size_t row = 0; row < logs.size(); ++row) {
    const std::uint64_t within = std::clamp(logs[row], low, high) - low;
    classes[row] = static_cast<std::uint8_t>(
        std::min<std::uint64_t>(n_classes - 1, within * n_classes / (high - low)));
  }
  return classes;
}

}  // namespace pqw
