// Chooses the gain of decoded weights.
#include "codecs/train/gain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pqw {
namespace {

double factor_of(const GainSums& sums, Gain gain) {
  if (gain == Gain::kUnbiased) return sums.original / sums.product;
  if (gain == Gain::kEnergy) return std::sqrt(sums.original / sums.reconstruction);
  return sums.product / sums.reconstruction;
}

}  // namespace

GainSums sum_of(std::span<const GainSums> parts) {
  GainSums sums;
  for (const GainSums& part : parts) sums.add(part);
  return sums;
}

double error_of(const GainSums& sums, double factor) {
  return 1 + factor * (factor * sums.reconstruction - 2 * sums.product) / sums.original;
}

AppliedGain choose_gain(const GainSums& sums, Gain asked, double most) {
  most = std::min(most, kMostGain);
  AppliedGain choice;
  if (asked == Gain::kNone)
    return {std::min(1.0, most), most < 1 ? GainLimit::kRange : choice.limit};
  if (!(sums.product > 0)) return {1, sums.original > 0 ? GainLimit::kLoss : GainLimit::kNone};
  for (const Gain gain : {Gain::kUnbiased, Gain::kEnergy, Gain::kLeastSquares}) {
    if (gain < asked) continue;
    choice.factor = factor_of(sums, gain);
    if (error_of(sums, choice.factor) < kMostError) break;
    if (gain != Gain::kLeastSquares) choice.limit = GainLimit::kLoss;
  }
  if (choice.factor <= most) return choice;
  return {most, GainLimit::kRange};
}

std::string gain_text(const AppliedGain& gain) {
  constexpr const char* kLimits[] = {"none", "loss", "type"};  // in the order of GainLimit
  return fmt::format(",gain_factor={:.4f},gain_limit={}", gain.factor,
                     kLimits[static_cast<std::size_t>(gain.limit)]);
}

Values<Gain> gain_values() {
  return choice<Gain>({{"unbiased", Gain::kUnbiased},
                       {"energy", Gain::kEnergy},
                       {"least_squares", Gain::kLeastSquares},
                       {"none", Gain::kNone}});
}

std::string remark_on_gain(const AppliedGain& gain) {
  if (gain.limit == GainLimit::kNone) return "";
  return fmt::format("gain limited to {:.4f}: a larger one would {}", gain.factor,
                     gain.limit == GainLimit::kLoss ? "give a relative error of 1 or more"
                                                    : "exceed the range of the type");
}

double largest_of(DType dtype) {
  if (dtype == DType::kF16) return 65504;
  if (dtype == DType::kBF16) return 0x1.fep127;
  return std::numeric_limits<float>::max();  // weights of F64 decode to float
}

}  // namespace pqw
