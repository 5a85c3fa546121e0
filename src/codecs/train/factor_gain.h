// Gains of factors (Gain of pq_encode.h).
//
// Each product-quantized factor has a gain of its own. The errors of factors have little to do with
// each other, so their amplitudes multiply: unbiased factors leave the product the amplitude that
// it had before they were quantized. A gain does not make up for what a decomposition drops: it
// drops directions, and a gain would lengthen the others. The errors add up: factors with errors
// below 1 can make a product with an error above 1.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "codecs/pq/train/gain.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/matrix_view.h"

namespace pqw {

using DecodeRows = std::function<void(std::size_t first, MutableMatrix out)>;

// Adds the sums of a product, decoded a few rows at a time.
void add_product(ConstMatrix original, const DecodeRows& product, GainSums& sums);

// What to multiply the product by: 1, or less where its relative error is 1 or more and a smaller
// gain (the largest of Gain) leaves less.
double product_gain(const GainSums& sums);

// The factor times that; as it was unless it is product-quantized.
Weight with_gain(Weight factor, double gain);

// What factors say of gains that are less than asked; empty where none is.
std::string remark_on_gains(std::span<const Weight* const> factors);

}  // namespace pqw
