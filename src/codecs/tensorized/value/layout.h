// The modes of a layout in the order of its factors.
#pragma once

#include <vector>

#include "pqw/codecs/tensorized.h"

namespace pqw::tensorized {

// Modes of layers (if there are several) and rows.
Shape row_modes(const TensorLayout& layout);

// Modes of layers, rows, columns.
Shape all_modes(const TensorLayout& layout);

// What a core of kTt or kTtm takes: one digit of a row and one of a column; those of kTt have a
// mode of 1 on one of the two sides.
struct CoreModes {
  std::size_t out = 1;
  std::size_t in = 1;
};
std::vector<CoreModes> core_modes(const TensorLayout& layout);

// The ranks of kTt and kTtm on both sides of core k.
std::size_t rank_before(const TensorLayout& layout, std::size_t core);
std::size_t rank_behind(const TensorLayout& layout, std::size_t core);

// Product of sizes that are known to fit.
std::size_t product(std::span<const std::size_t> sizes);

}  // namespace pqw::tensorized
