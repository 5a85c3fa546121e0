// Corrects the error that a search aims at, from the measured errors of its choices.
#include "compress/correction.h"

namespace pqw {

std::optional<std::size_t> best_attempt(
    double target, const std::function<std::optional<double>(double aim)>& attempt) {
  constexpr double kNear = 0.97, kMargin = 0.99;
  constexpr std::size_t kMost = 3, kMostAbove = 7;
  std::optional<std::size_t> best;
  double aim = target, best_error = 0;
  for (std::size_t i = 0; i < (best ? kMost : kMostAbove); ++i) {
    const std::optional<double> error = attempt(aim);
    if (!error) break;
    const bool is_met = *error <= target;
    if (is_met && (!best || *error > best_error)) {
      best = i;
      best_error = *error;
    }
    if (!(*error > 0) || (is_met && *error >= kNear * target)) break;
    aim *= kMargin * target / *error;
  }
  return best;
}

}  // namespace pqw
