// Finds the smallest archive that loses at most so much of the score.
#include "compress/loss_target.h"

#include <cmath>

#include "core/subject.h"

namespace pqw {

LossTrial smallest_within(double max_loss, double least_ratio, double most_ratio,
                          const std::string& subject, const TryRatio& try_ratio) {
  constexpr double kNear = 1.02;
  std::optional<LossTrial> best;
  double low = least_ratio, high = most_ratio;
  for (std::size_t i = 0; i + 1 < kMostTrials && high / low > kNear; ++i) {
    const double middle = std::sqrt(low * high);
    auto trial = try_ratio(middle);
    const bool is_within = trial && trial->target.loss <= max_loss;
    (is_within ? low : high) = middle;
    if (is_within) best = std::move(trial);
  }
  if (best) return *best;
  const auto largest = try_ratio(least_ratio);
  if (largest && largest->target.loss <= max_loss) return *largest;
  if (!largest) {
    throw Subject{subject, ErrorCode::kInvalidArgument}.error(
        "no archive is {:.3g} times smaller than the tensors: let fewer patterns keep tensors",
        least_ratio);
  }
  throw Subject{subject, ErrorCode::kInvalidArgument}.error(
      "even the largest archive that was tried ({} bytes, {:.3g} times smaller than the tensors) "
      "loses {:.4g} of the score; at most {:.4g} was asked for: allow more, or exclude the tensors "
      "with the most harm",
      largest->target.file_bytes, least_ratio, largest->target.loss, max_loss);
}

}  // namespace pqw
