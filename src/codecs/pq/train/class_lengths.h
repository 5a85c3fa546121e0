// The lengths of codes, by classes of rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/pq/train/block_span.h"

namespace pqw {

// The lengths in bits that codes of each class of rows have by entropy coding, to the nearest
// 2^-16: -log2 of their share in their class. The shares of a class are blended with those of all
// rows, which count as kBlend more codes; so a code that the class lacks has a length, too. A code
// that no row has is as long as kLongest. Layout: float[n_classes][n_centroids]. `codes` are
// position-major, [positions][n_rows].
inline constexpr float kLongest = 24;
inline constexpr double kBlend = 8;
std::vector<float> lengths_of_codes(std::span<const std::uint16_t> codes,
                                    std::span<const std::uint8_t> row_classes,
                                    std::size_t n_centroids);

// Bits of a frequency in the tables of an archive, about.
inline constexpr double kBitsOfFrequency = 6;

// The class of each row: of 1, 2, 4, ... most_classes classes those with which codes, tables and
// classes take the fewest bits. Classes are by energy first (row_classes.h); then each row
// moves to the class in which its codes take the fewest bits. `codes` are as above.
std::vector<std::uint8_t> best_row_classes(BlockSpan blocks, std::span<const std::uint16_t> codes,
                                           std::size_t n_rows, std::size_t n_centroids,
                                           unsigned most_classes);

}  // namespace pqw
