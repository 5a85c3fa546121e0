// What the tokens of a weight are coded by: its contexts and their frequencies.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/entropy/frequencies.h"
#include "codecs/tcq/value/contexts.h"
#include "codecs/tcq/value/tokens.h"
#include "pqw/core/matrix.h"

namespace pqw::tcq {

// What is stored for each row, as a drop of 0..63 half octaves.
enum class RowDrops {
  kNone,
  kLevel,  // how far the level of the row is below `level`
  kStep,   // the fineness of the row
};

struct Contexts {
  RowDrops drops = RowDrops::kNone;
  bool by_column = false;
  int level = 0;   // of all rows, or the highest
  int lowest = 0;  // classes are clamped to these
  int highest = 0;

  int level_of_row(std::uint8_t drop) const {
    return drops == RowDrops::kLevel ? level - drop : level;
  }
  int class_of(int row_level, int column_class) const {
    const int c = row_level + column_class + kClassOffset;
    return c < lowest ? lowest : c > highest ? highest : c;
  }
};

// How often each token occurs in each class and quantizer: [class][quantizer][token].
using Counts = std::vector<std::array<std::array<std::uint64_t, kTokens>, 2>>;

// A matrix of integers, and the drops that are stored with it. The values of a weight of `steps`
// have its fineness as drops.
struct Values {
  MatrixShape shape;
  std::span<const std::int16_t> values;
  std::span<const std::uint8_t> fineness;  // [rows] or none

  const std::int16_t* row(std::size_t r) const { return values.data() + r * shape.cols; }
};

// The contexts that code the values in the fewest bits, with all that follows from them.
struct Model {
  Contexts contexts;
  std::vector<std::uint8_t> drops;   // [rows] or none
  std::vector<std::int8_t> columns;  // [groups][cols] classes or none
  Counts counts;                     // kClasses of them
  double bits = 0;                   // of tokens, raw bits and model, about
};

Model choose_model(const Values& values);

}  // namespace pqw::tcq
