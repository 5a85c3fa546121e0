// Rows of a weight, decoded one at a time in any order.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "pqw/codecs/weight.h"

namespace pqw {

// Safe to use from several threads at once.
class RowDecoder {
 public:
  virtual ~RowDecoder() = default;
  // REQUIRES: the row exists and `out` has as many elements as it. Does not throw.
  virtual void decode(std::size_t row, std::span<float> out) const = 0;
};

// Product-quantized codes are laid out by rows, so that those of a row lie side by side; every
// other codec decodes from its weight. Errors: kInvalidArgument for a type that is not a float
// type.
std::unique_ptr<const RowDecoder> make_row_decoder(Weight weight);

}  // namespace pqw
