// Times of contenders that take turns.
#include "timing/clock.h"

#include <cmath>

namespace pqw::timing {
namespace {

constexpr double kTurnSeconds = 2e-3;   // at least, if a call is shorter
constexpr double kTotalSeconds = 0.25;  // of all rounds, if there are not too few
constexpr std::size_t kFewestRounds = 5;
constexpr std::size_t kMostRounds = 25;

// Of one call, as the mean over some.
double seconds_of_calls(const std::function<void()>& contender, std::size_t n_calls) {
  return seconds_of([&] {
           for (std::size_t i = 0; i < n_calls; ++i) contender();
         }) /
         static_cast<double>(n_calls);
}

}  // namespace

std::vector<double> median_seconds(const std::vector<std::function<void()>>& contenders,
                                   std::size_t n_rounds) {
  std::vector<std::size_t> n_calls;
  double round_seconds = 0;
  for (const auto& contender : contenders) {
    const double once = shortest_seconds(contender);
    n_calls.push_back(static_cast<std::size_t>(std::ceil(kTurnSeconds / std::max(once, 1e-7))));
    round_seconds += once * static_cast<double>(n_calls.back() + 1);
  }
  if (n_rounds == 0) {
    n_rounds = std::clamp(static_cast<std::size_t>(kTotalSeconds / round_seconds), kFewestRounds,
                          kMostRounds);
  }
  std::vector<std::vector<double>> seconds(contenders.size());
  for (std::size_t round = 0; round < n_rounds; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const std::size_t c = round % 2 == 0 ? i : contenders.size() - 1 - i;
      contenders[c]();  // takes the caches and the threads over from the one before
      seconds[c].push_back(seconds_of_calls(contenders[c], n_calls[c]));
    }
  }
  std::vector<double> medians;
  for (auto& times : seconds) medians.push_back(median(std::move(times)));
  return medians;
}

double shortest_seconds(const std::function<void()>& contender) {
  contender();
  double shortest = seconds_of(contender);
  for (int i = 0; i < 2; ++i) shortest = std::min(shortest, seconds_of(contender));
  return shortest;
}

}  // namespace pqw::timing
