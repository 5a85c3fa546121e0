// Finds the smallest archive that loses at most so much of the score.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pqw/compress/sensitivity.h"

namespace pqw {

// An archive that was made and evaluated.
struct LossTrial {
  LossTarget target;
  std::string recipe;  // that makes it again
};

// Makes and evaluates the archive of that ratio; empty if no archive can be so small.
using TryRatio = std::function<std::optional<LossTrial>(double ratio)>;

inline constexpr std::size_t kMostTrials = 8;

// Bisects between two ratios, in equal steps of their logarithm, until they are 2 % apart; tries the
// least ratio if all others lose more. `subject` is the file, for messages. Errors: kInvalidArgument if
// even the largest archive loses more; those of `try_ratio`.
LossTrial smallest_within(double max_loss, double least_ratio, double most_ratio,
                          const std::string& subject, const TryRatio& try_ratio);

}  // namespace pqw
