// The gain of product-quantized weights: one factor for all codebooks of a tensor.
#pragma once

#include <string>
#include <string_view>

#include "pqw/codecs/pq_encode.h"

namespace pqw {

// Sums over the weights w and what their codes stand for, ŵ. Padding does not count.
struct GainSums {
  double original = 0;        // ‖w‖²
  double product = 0;         // <w,ŵ>
  double reconstruction = 0;  // ‖ŵ‖²
};

// A weight counts as much as its importance. The sums have the same bits on any number of threads.
// REQUIRES: `weight` has the blocks' shape and block size.
GainSums gain_sums(const Blocks& blocks, const PqWeight& weight, const PqImportance& importance);

// Why a gain is less than what was asked.
enum class GainLimit {
  kNone,   // it is what was asked
  kLoss,   // a relative error of 1 or more
  kRange,  // values beyond the range of their type
};

// ‖w - factor ŵ‖² / ‖w‖²
double error_of(const GainSums& sums, double factor);

// The error that a gain leaves is below this: rounding a codebook to its type does not make 1 of
// it.
inline constexpr double kMostError = 0.99;

struct GainChoice {
  double factor = 1;  // above 0, at most kMostGain
  GainLimit limit = GainLimit::kNone;
};

// Where centroids are means, no gain that passes the rule below reaches this.
inline constexpr double kMostGainOfMeans = 2;
inline constexpr double kMostGain = 9;  // one digit in the text

// The factor that `asked` stands for. If that leaves too large an error, the largest of the smaller
// ones that does not; in any case `most` at most. 1 where <w,ŵ> is not above 0.
GainChoice choose_gain(const GainSums& sums, Gain asked, double most = kMostGain);

// Multiplies the codebooks by the gain, rounds them to their type and notes the gain in the options
// of the weight. The codes stay. No value leaves the range of the codebook's or the tensor's type.
void apply_gain(const Blocks& blocks, const PqImportance& importance, Gain asked, PqWeight& weight);

// Multiplies the codebooks by less than 1: a product of factors asks for that. REQUIRES: apply_gain
// was here.
void lower_gain(double by, PqWeight& weight);

// ",gain_factor=1.1034,gain_limit=none" (or loss, or type): of the same length for every choice, as
// the size of the archive is told before it is known.
std::string gain_text(const GainChoice& choice);

// What options that end with such a text say of a limited gain; empty where it is not limited.
std::string remark_on_gain(std::string_view options);

// Rounds values to the type of the codebook, those beyond its range to the largest.
void round_to(DType dtype, std::span<float> values);

}  // namespace pqw
