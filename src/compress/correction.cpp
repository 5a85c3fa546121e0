// Corrects the error that a search aims at, from the measured errors of its choices.
#include "compress/correction.h"

namespace pqw {

bool Correction::is_needed_after(double measured) {
  constexpr double kNear = 0.97, kMargin = 0.99;
  constexpr std::size_t kMostRuns = 3;
  ++n_runs_;
  const bool is_met = measured <= target_;
  if (returns_ || !(measured > 0) || (is_met && measured >= kNear * target_)) return false;
  if (is_met && (!best_ || measured > best_->error)) best_ = {aim_, measured};
  if (n_runs_ < kMostRuns || !best_) {
    if (n_runs_ > 2 * kMostRuns) return false;  // the estimates are of no use
    aim_ *= kMargin * target_ / measured;
    return true;
  }
  if (best_->aim == aim_) return false;
  aim_ = best_->aim;
  returns_ = true;
  return true;
}

}  // namespace pqw
