// Row scales of product-quantized weights: choosing them, and the weights of rows that follow.
#pragma once

#include <vector>

#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Chooses the scales as prepare_blocks says and divides the blocks by them; blocks of a row with
// the scale 0 become 0. Returns float[rows]; empty for kNone. A quotient beyond the range of float
// becomes the largest float.
std::vector<float> scale_rows(RowScales type, Blocks& blocks);

// The weights of the rows of divided blocks in the objective: the squares of their scales times
// their importances. Empty if all are 1.
std::vector<float> row_weights(const PqImportance& importance, const PqWeight& weight);

}  // namespace pqw
