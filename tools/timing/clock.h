// Wall-clock times: of one call, and of contenders that take turns.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace pqw::timing {

template <class Action>
double seconds_of(const Action& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The middle value; the mean of the two middle ones for an even number. REQUIRES: not empty.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Seconds of a call of each contender: the median over rounds, in each of which every contender is
// called for a while in its turn. All of them touch the same memory again and again: what fits in
// the caches stays there. n_rounds: 0 for 5 to 25, which take about a quarter of a second.
std::vector<double> median_seconds(const std::vector<std::function<void()>>& contenders,
                                   std::size_t n_rounds = 0);

// The shortest of a few calls, for a first choice.
double shortest_seconds(const std::function<void()>& contender);

}  // namespace pqw::timing
