// Gains of product-quantized factors (Gain of pq.h).
//
// Each product-quantized factor has a gain of its own. The errors of the factors are nearly
// independent, so their amplitudes multiply: if all factors are unbiased, quantizing them does not
// change the amplitude of the product. A gain must not make up for the error of the decomposition,
// which drops directions: it would only lengthen the directions that are left. Errors of factors
// add up: factors with errors below 1 can make a product with an error above 1.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "codecs/pq/train/gain.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/matrix.h"

namespace pqw {

using DecodeRows = std::function<void(std::size_t first, MutableMatrix out)>;

// Adds the sums over a product of factors, decoded a few rows at a time.
void add_product(ConstMatrix original, GainSums& sums, const DecodeRows& product);

// The factor for the product: 1, or if its relative error is then 1 or more, the largest smaller
// gain (in the order of Gain) that gives an error below 1.
double product_gain(const GainSums& sums);

// `factor` times `gain`; unchanged if it is not product-quantized.
Weight with_gain(Weight factor, double gain);

// The remark of the first factor whose gain is limited; empty if there is none.
std::string remark_on_gains(std::span<const Weight* const> factors);

}  // namespace pqw
