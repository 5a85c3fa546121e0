// The gain of product-quantized weights: one factor for all codebooks of a tensor.
#pragma once

#include <span>
#include <string>

#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Sums over the weights w and the decoded weights ŵ. Padding does not count.
struct GainSums {
  double original = 0;        // ‖w‖²
  double product = 0;         // <w,ŵ>
  double reconstruction = 0;  // ‖ŵ‖²
};

// Weights count by their importance. The sums have the same bits on any number of threads.
// REQUIRES: `weight` has the blocks' shape and block size.
GainSums gain_sums(const Blocks& blocks, const PqWeight& weight, const PqImportance& importance);

// ‖w - factor ŵ‖² / ‖w‖²
double error_of(const GainSums& sums, double factor);

// A gain must give an error below this. It is so far below 1 that rounding the codebook to its type
// does not raise the error to 1.
inline constexpr double kMostError = 0.99;

// If centroids are means, no gain that choose_gain returns is as large as this.
inline constexpr double kMostGainOfMeans = 2;
inline constexpr double kMostGain = 9;  // one digit in the text

// The factor of the gain `asked`. If its error is too large, the factor of the next Gain (in the
// order of the enum) with a small enough error. Never above `most`; 1 if <w,ŵ> is not above 0.
AppliedGain choose_gain(const GainSums& sums, Gain asked, double most = kMostGain);

// Multiplies the codebooks by the gain, rounds them to their type and writes the gain into the
// weight and its options. REQUIRES: the options end with the text of the weight's gain. The codes
// stay. No value leaves the range of the type of the codebook or of the tensor.
void apply_gain(const Blocks& blocks, const PqImportance& importance, Gain asked, PqWeight& weight);

// Multiplies the codebooks by a gain below 1, as the product of factors needs (factor_gain.h).
// REQUIRES: apply_gain was called before.
void lower_gain(double by, PqWeight& weight);

// ",gain_factor=1.1034,gain_limit=none" (or loss, or type). It has the same length for every
// choice, because the size of the archive is reported before the choice is known.
std::string gain_text(const AppliedGain& gain);

// A remark on a limited gain; empty for others.
std::string remark_on_gain(const AppliedGain& gain);

// Rounds values to the type of the codebook; values beyond its range become its largest value.
void round_to(DType dtype, std::span<float> values);

}  // namespace pqw
