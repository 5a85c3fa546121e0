// Chooses the gain of decoded weights (gain.h of the public headers), for all codecs.
#pragma once

#include <span>
#include <string>

#include "codecs/train/fields.h"
#include "pqw/codecs/gain.h"
#include "pqw/core/dtype.h"

namespace pqw {

// Sums over the weights w and the decoded weights ŵ.
struct GainSums {
  double original = 0;        // ‖w‖²
  double product = 0;         // <w,ŵ>
  double reconstruction = 0;  // ‖ŵ‖²

  void add(const GainSums& part, double weight = 1) {
    original += weight * part.original;
    product += weight * part.product;
    reconstruction += weight * part.reconstruction;
  }
  // Makes these the sums of factor ŵ.
  void scale(double factor) {
    product *= factor;
    reconstruction *= factor * factor;
  }
};

// In the order of the parts.
GainSums sum_of(std::span<const GainSums> parts);

// ‖w - factor ŵ‖² / ‖w‖²
double error_of(const GainSums& sums, double factor);

// A gain must give an error below this. It is so far below 1 that rounding to a type does not raise
// the error to 1.
inline constexpr double kMostError = 0.99;

// If centroids are means, no gain that choose_gain returns is as large as this.
inline constexpr double kMostGainOfMeans = 2;
inline constexpr double kMostGain = 9;  // one digit in the text

// The factor of the gain `asked`. If its error is too large, the factor of the next Gain (in the
// order of the enum) with a small enough error. Never above `most`; 1 if <w,ŵ> is not above 0.
AppliedGain choose_gain(const GainSums& sums, Gain asked, double most = kMostGain);

// ",gain_factor=1.1034,gain_limit=none" (or loss, or type). It has the same length for every
// choice, because the size of the archive is reported before the choice is known.
std::string gain_text(const AppliedGain& gain);

// The values of an option.
Values<Gain> gain_values();

// A remark on a limited gain; empty for others.
std::string remark_on_gain(const AppliedGain& gain);

// The largest finite value of a float type. Weights of F64 decode to float.
double largest_of(DType dtype);

}  // namespace pqw
