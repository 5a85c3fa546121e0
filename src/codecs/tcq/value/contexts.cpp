// Contexts: how large integers are expected to be.
#include "codecs/tcq/value/contexts.h"

#include <algorithm>
#include <array>
#include <bit>

namespace pqw::tcq {
namespace {

// Energies of columns are in 64ths of the square of the row's standard deviation.
constexpr unsigned kUnit = 64;
constexpr std::uint32_t kMostEnergy = 36 * kUnit;  // of one integer
constexpr std::uint32_t kPriorEnergy = 3 * kUnit;  // as if 3 average rows came before
constexpr std::uint32_t kForgetRows = 64;          // more rows than these weigh less
constexpr int kMostClass = 8;
constexpr std::uint64_t kRootOfHalf = 46341;  // 2^16 / sqrt(2)

}  // namespace

int level_of(std::uint64_t energy, std::uint64_t count) {
  int level = kLowestLevel;
  // energy / count >= 2^(level + 1/2), squared to stay in integers
  const double ratio = count == 0 ? 0 : static_cast<double>(energy) / static_cast<double>(count);
  const double squared = ratio * ratio;
  while (level < kHighestLevel) {
    const int bound = 2 * level + 1;
    const double limit = bound >= 0 ? static_cast<double>(std::uint64_t{1} << bound)
                                    : 1.0 / static_cast<double>(std::uint64_t{1} << -bound);
    if (squared < limit) break;
    ++level;
  }
  return level;
}

void ColumnClasses::add_row(const std::int16_t* row, int level) {
  // (|n| + 1/2)² / 2^level in units of 1/64. Beyond |n| = 2^11 all levels reach kMostEnergy or are
  // clamped alike.
  const std::size_t cols = energies_.size();
  std::uint32_t* energies = energies_.data();
  const int shift = 4 - level;
  const unsigned left = shift > 0 ? static_cast<unsigned>(std::min(shift, 12)) : 0;
  const unsigned right = shift < 0 ? static_cast<unsigned>(-shift) : 0;
  for (std::size_t c = 0; c < cols; ++c) {
    const std::int32_t odd = 2 * (row[c] < 0 ? -row[c] : row[c]) + 1;
    const std::uint32_t square = static_cast<std::uint32_t>(odd) * static_cast<std::uint32_t>(odd);
    const std::uint32_t scaled = std::min(square >> right, kMostEnergy) << left;
    energies[c] += std::min(scaled, kMostEnergy);
  }
  ++n_rows_;
}

void ColumnClasses::end_group() {
  std::uint64_t sum = 0;
  for (const std::uint32_t energy : energies_) sum += energy;
  const std::uint64_t base = kPriorEnergy + sum / std::max<std::size_t>(1, energies_.size());
  std::array<std::uint32_t, 2 * kMostClass> bounds;  // between the classes
  for (int i = 0; i < 2 * kMostClass; ++i) {
    const std::uint64_t bound = base * kRootOfHalf >> (16 + kMostClass - 1 - i);
    bounds[static_cast<std::size_t>(i)] =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(bound, ~std::uint32_t{0}));
  }
  for (std::size_t c = 0; c < energies_.size(); ++c) {
    const std::uint32_t energy = energies_[c] + kPriorEnergy;
    int count = 0;
    for (const std::uint32_t bound : bounds) count += energy >= bound ? 1 : 0;
    classes_[c] = static_cast<std::int8_t>(count - kMostClass);
  }
  if (n_rows_ <= kForgetRows) return;
  n_rows_ -= n_rows_ / 4;
  for (std::uint32_t& energy : energies_) energy -= energy / 4;
}

}  // namespace pqw::tcq
