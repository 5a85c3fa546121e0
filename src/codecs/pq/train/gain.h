// The gain of product-quantized weights: factors on the codebooks and the row scales.
#pragma once

#include <span>
#include <vector>

#include "codecs/train/gain.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// The sums of each row. Padding does not count; weights count by their importance. The blocks are
// divided by the row scales of the weight, if there are any.
// REQUIRES: `weight` has the blocks' shape and block size.
std::vector<GainSums> gain_sums_of_rows(const Blocks& blocks, const PqWeight& weight,
                                        const PqImportance& importance);

// Applies options.gain by options.gain_per, rounds what it changes to its type, and writes the gain
// into the weight and its options; the factor of these is the ratio of <w,ŵ> after and before. The
// codes stay. No value leaves the range of the type of the codebook, the row scales, or float.
// REQUIRES: the options of the weight end with the text of its gain.
void apply_gain(const Blocks& blocks, const PqImportance& importance, const PqOptions& options,
                PqWeight& weight);

// Multiplies the codebooks by a gain below 1, as the product of factors needs (factor_gain.h).
// REQUIRES: apply_gain was called before.
void lower_gain(double by, PqWeight& weight);

// Rounds values to the type of the codebook; values beyond its range become its largest value.
void round_to(DType dtype, std::span<float> values);

}  // namespace pqw
