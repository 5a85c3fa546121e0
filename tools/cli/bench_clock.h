// Times of contenders that take turns.
#pragma once

#include <functional>
#include <vector>

namespace pqw::tool {

// Seconds of a call of each contender: the median over rounds, in each of which every contender is
// called for a while in its turn. All of them touch the same memory again and again: what fits in
// the caches stays there.
std::vector<double> median_seconds(const std::vector<std::function<void()>>& contenders);

// The shortest of a few calls, for a first choice.
double shortest_seconds(const std::function<void()>& contender);

}  // namespace pqw::tool
