// Decoding and checking trellis-coded weights.
#pragma once

#include <span>

#include "pqw/codecs/tcq.h"

namespace pqw::tcq {

inline float decoded(float integer, float step, float mean) { return step * integer + mean; }

// REQUIRES: out.size() == weight.cols().
void decode_row(const TcqWeight& weight, std::size_t row, std::span<float> out);

// True if all decoded weights are.
bool is_finite(const TcqWeight& weight);

}  // namespace pqw::tcq
