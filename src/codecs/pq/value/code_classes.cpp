// Finds classes of rows or positions for the entropy coding of codes.
#include "codecs/pq/value/code_classes.h"

#include <algorithm>
#include <span>

#include "codecs/entropy/frequencies.h"
#include "codecs/pq/value/row_classes.h"

namespace pqw {
namespace {

// Calls f(position, row, group, code) for each code.
template <class F>
void for_each_code(const PqWeight& weight, F f) {
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  for (std::size_t p = 0; p < weight.positions(); ++p) {
    const auto codes = weight.codes_of(p);
    for (std::size_t r = 0; r < codes.size(); ++r) f(p, r, groups[p], codes[r]);
  }
}

// The squared norm of each centroid: [groups][centroids].
std::vector<double> centroid_energies(const PqWeight& weight) {
  std::vector<double> energies(weight.n_groups * weight.n_centroids);
  for (std::size_t i = 0; i < weight.codebooks.size(); ++i) {
    const double value = weight.codebooks[i];
    energies[i / weight.block_size] += value * value;
  }
  return energies;
}

CodeClasses by_energy(const PqWeight& weight, std::span<const double> of_centroids,
                      bool by_position, unsigned bits) {
  std::vector<double> energies(by_position ? weight.positions() : weight.rows());
  for_each_code(weight, [&](std::size_t p, std::size_t r, std::size_t group, std::size_t code) {
    energies[by_position ? p : r] += of_centroids[group * weight.n_centroids + code];
  });
  return {by_position, bits, row_classes(energies, std::size_t{1} << bits)};
}

// Calls f(counts of a table, table) for each group and class.
template <class F>
void for_each_table(const PqWeight& weight, std::span<const std::uint64_t> counts, F f) {
  const std::size_t k = weight.n_centroids;
  for (std::size_t at = 0; at < counts.size(); at += k) f(counts.subspan(at, k), at / k);
}

// Moves each row or position to the class in which its codes take the fewest bits.
void refine(const PqWeight& weight, CodeClasses& classes) {
  std::vector<std::uint64_t> counts = count_codes(weight, classes);
  for (std::uint64_t& count : counts) ++count;  // so that each code has a length
  std::vector<float> lengths;
  for_each_table(weight, counts, [&](std::span<const std::uint64_t> table, std::size_t) {
    const std::vector<float> more = code_lengths(normalised(table));
    lengths.insert(lengths.end(), more.begin(), more.end());
  });
  const std::size_t n = classes.count();
  // Lengths are multiples of 2^-16, so these sums are exact. Layout: [rows or positions][classes].
  std::vector<double> bits(classes.of.size() * n);
  for_each_code(weight, [&](std::size_t p, std::size_t r, std::size_t group, std::size_t code) {
    const std::size_t at = (classes.by_position ? p : r) * n;
    const std::size_t first = group * n * weight.n_centroids + code;
    for (std::size_t c = 0; c < n; ++c) bits[at + c] += lengths[first + c * weight.n_centroids];
  });
  for (std::size_t i = 0; i < classes.of.size(); ++i) {
    const auto of_item = std::span(bits).subspan(i * n, n);
    classes.of[i] = static_cast<std::uint8_t>(std::ranges::min_element(of_item) - of_item.begin());
  }
}

// Bits of classes, tables and codes.
double bits_with(const PqWeight& weight, const CodeClasses& classes) {
  double bits = static_cast<double>(classes.of.size() * classes.bits);
  for_each_table(weight, count_codes(weight, classes),
                 [&](std::span<const std::uint64_t> counts, std::size_t) {
                   BitWriter table;
                   const Frequencies frequencies = write_frequencies(table, counts);
                   bits += static_cast<double>(table.n_bits()) + coded_bits(counts, frequencies);
                 });
  return bits;
}

}  // namespace

std::vector<std::uint64_t> count_codes(const PqWeight& weight, const CodeClasses& classes) {
  std::vector<std::uint64_t> counts(weight.n_groups * classes.count() * weight.n_centroids);
  for_each_code(weight, [&](std::size_t p, std::size_t r, std::size_t group, std::size_t code) {
    ++counts[(group * classes.count() + classes.at(p, r)) * weight.n_centroids + code];
  });
  return counts;
}

CodeClasses best_code_classes(const PqWeight& weight) {
  constexpr int kRefinements = 3;
  const std::vector<double> energies = centroid_energies(weight);
  CodeClasses best;
  double fewest = bits_with(weight, best);
  struct Trial {
    bool by_position;
    unsigned bits;
  };
  for (const Trial trial : {Trial{false, 1}, Trial{false, 2}, Trial{true, 2}}) {
    CodeClasses classes = by_energy(weight, energies, trial.by_position, trial.bits);
    for (int i = 0; i < kRefinements; ++i) refine(weight, classes);
    const double bits = bits_with(weight, classes);
    if (bits >= fewest) continue;
    fewest = bits;
    best = std::move(classes);
  }
  return best;
}

}  // namespace pqw
