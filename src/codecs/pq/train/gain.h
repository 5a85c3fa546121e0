// The gain of product-quantized weights: one factor for all codebooks of a tensor.
#pragma once

#include <string>
#include <string_view>

#include "pqw/codecs/pq_encode.h"

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

// Why a gain is smaller than the option asks for.
enum class GainLimit {
  kNone,   // it is not smaller
  kLoss,   // else the relative error would be 1 or more
  kRange,  // else values would be beyond the range of their type
};

// ‖w - factor ŵ‖² / ‖w‖²
double error_of(const GainSums& sums, double factor);

// A gain must give an error below this. It is so far below 1 that rounding the codebook to its type
// does not raise the error to 1.
inline constexpr double kMostError = 0.99;

struct GainChoice {
  double factor = 1;  // above 0, at most kMostGain
  GainLimit limit = GainLimit::kNone;
};

// If centroids are means, no gain that choose_gain returns is as large as this.
inline constexpr double kMostGainOfMeans = 2;
inline constexpr double kMostGain = 9;  // one digit in the text

// The factor of the gain `asked`. If its error is too large, the factor of the next Gain in order
// whose error is not. Never above `most`; 1 if <w,ŵ> is not above 0.
GainChoice choose_gain(const GainSums& sums, Gain asked, double most = kMostGain);

// Multiplies the codebooks by the gain, rounds them to their type and writes the gain into the
// options of the weight. The codes stay. No value leaves the range of the type of the codebook or
// of the tensor.
void apply_gain(const Blocks& blocks, const PqImportance& importance, Gain asked, PqWeight& weight);

// Multiplies the codebooks by a gain below 1, as the product of factors needs (factor_gain.h).
// REQUIRES: apply_gain was called before.
void lower_gain(double by, PqWeight& weight);

// ",gain_factor=1.1034,gain_limit=none" (or loss, or type). It has the same length for every
// choice, because the size of the archive is reported before the choice is known.
std::string gain_text(const GainChoice& choice);

// A remark if the options end with a limited gain; else empty.
std::string remark_on_gain(std::string_view options);

// Rounds values to the type of the codebook; values beyond its range become its largest value.
void round_to(DType dtype, std::span<float> values);

}  // namespace pqw
