// The lengths of codes, by classes of rows.
#include "codecs/pq/train/class_lengths.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "codecs/pq/value/row_classes.h"

namespace pqw {
namespace {

std::vector<double> row_energies(BlockSpan blocks, std::size_t n_rows) {
  std::vector<double> energies(n_rows);
  for (std::size_t first = 0; first < blocks.count(); first += n_rows) {
    for (std::size_t row = 0; row < n_rows; ++row) {
      const float* block = blocks[first + row];
      for (std::size_t j = 0; j < blocks.d; ++j) energies[row] += double{block[j]} * block[j];
    }
  }
  return energies;
}

// The bits of the codes of each row in each class. Layout: [n_rows][n_classes].
std::vector<double> bits_of_rows(std::span<const std::uint16_t> codes, std::size_t n_rows,
                                 std::span<const float> lengths, std::size_t n_centroids) {
  const std::size_t n_classes = lengths.size() / n_centroids;
  std::vector<double> bits(n_rows * n_classes);
  for (std::size_t first = 0; first < codes.size(); first += n_rows) {
    for (std::size_t row = 0; row < n_rows; ++row) {
      const float* of_code = &lengths[codes[first + row]];
      for (std::size_t c = 0; c < n_classes; ++c) {
        bits[row * n_classes + c] += of_code[c * n_centroids];
      }
    }
  }
  return bits;
}

}  // namespace

std::vector<float> lengths_of_codes(std::span<const std::uint16_t> codes,
                                    std::span<const std::uint8_t> row_classes,
                                    std::size_t n_centroids) {
  const std::size_t n_rows = row_classes.size();
  const std::size_t n_classes =
      std::size_t{1} + (n_rows > 0 ? *std::max_element(row_classes.begin(), row_classes.end()) : 0);
  std::vector<double> counts(n_classes * n_centroids), all(n_centroids);
  for (std::size_t first = 0; first < codes.size(); first += n_rows) {
    for (std::size_t row = 0; row < n_rows; ++row) {
      ++counts[row_classes[row] * n_centroids + codes[first + row]];
      ++all[codes[first + row]];
    }
  }
  std::vector<float> lengths(counts.size());
  for (std::size_t c = 0; c < n_classes; ++c) {
    const auto own = std::span(counts).subspan(c * n_centroids, n_centroids);
    const double total = std::accumulate(own.begin(), own.end(), 0.0) + kBlend;
    for (std::size_t k = 0; k < n_centroids; ++k) {
      const double share = (own[k] + kBlend * all[k] / static_cast<double>(codes.size())) / total;
      const double bits = share > 0 ? -std::log2(share) : kLongest;
      lengths[c * n_centroids + k] =
          std::min(kLongest, static_cast<float>(std::round(bits * 0x1p16) * 0x1p-16));
    }
  }
  return lengths;
}

std::vector<std::uint8_t> best_row_classes(BlockSpan blocks, std::span<const std::uint16_t> codes,
                                           std::size_t n_rows, std::size_t n_centroids,
                                           unsigned most_classes) {
  constexpr int kRefinements = 2;
  const std::vector<double> energies = row_energies(blocks, n_rows);
  std::vector<std::uint8_t> best;
  double fewest = HUGE_VAL;
  for (unsigned n = 1; n <= most_classes; n *= 2) {
    std::vector<std::uint8_t> classes = row_classes(energies, n);
    double sum = 0;
    for (int i = 0; i <= kRefinements; ++i) {
      const std::vector<float> lengths = lengths_of_codes(codes, classes, n_centroids);
      const std::size_t n_used = lengths.size() / n_centroids;
      const std::vector<double> bits = bits_of_rows(codes, n_rows, lengths, n_centroids);
      sum = kBitsOfFrequency * static_cast<double>(n_centroids * n_used) +
            static_cast<double>(n_rows) * std::bit_width(n - 1);
      for (std::size_t row = 0; row < n_rows; ++row) {
        const auto of_row = std::span(bits).subspan(row * n_used, n_used);
        sum += of_row[classes[row]];
        if (i == kRefinements) continue;
        const auto least = std::ranges::min_element(of_row);
        classes[row] = static_cast<std::uint8_t>(least - of_row.begin());
      }
    }
    if (sum >= fewest) continue;
    fewest = sum;
    best = std::move(classes);
  }
  return best;
}

}  // namespace pqw
