// Paths through the trellis with their errors. The loops over lanes have a form that compilers
// vectorise.
#include "codecs/tcq/train/survivors.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace pqw::tcq {
namespace {

constexpr float kUnreached = 1e30f;
constexpr float kMostTarget = 32750;  // integers have 16 bits

// The integers of one subset with the least cost, and that cost.
struct Choice {
  Lanes value;
  Lanes cost;
};

template <unsigned kSubset>
void choose(const Lanes& targets, const SurvivorStep& step, Choice& choice) {
  if (step.rates == nullptr) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const float a = std::abs(targets[l]), n = nearest<kSubset>(a);
      choice.cost[l] = step.energies[l] * square(a - n);
      choice.value[l] = std::copysign(n, targets[l]);
    }
    return;
  }
  constexpr unsigned kQuantizer = kSubset / 2;
  for (std::size_t l = 0; l < kLanes; ++l) {
    const auto& of_index = (*step.rates)[step.classes[l]][kQuantizer];
    const float a = std::abs(targets[l]);
    for (unsigned i = 0; i < 3; ++i) {
      const float n = candidate<kSubset>(a, i);
      const auto index = (static_cast<std::size_t>(n) + kQuantizer) / 2;
      const float cost =
          step.energies[l] * square(a - n) + of_index[std::min(index, kRatedIndices - 1)];
      if (i > 0 && !(cost < choice.cost[l])) continue;
      choice.cost[l] = cost;
      choice.value[l] = std::copysign(n, targets[l]);
    }
  }
}

}  // namespace

void Survivors::begin(const std::array<unsigned, kLanes>& states) {
  n_undecided_ = 0;
  for (unsigned s = 0; s < kStates; ++s) {
    for (std::size_t l = 0; l < kLanes; ++l) costs_[s][l] = states[l] == s ? 0 : kUnreached;
  }
}

void Survivors::extend(const SurvivorStep& step) {
  assert(n_undecided_ < 2 * kPanel && step.coefficients.size() == n_undecided_);
  const auto& before = buffers_[current_];
  auto& after = buffers_[1 - current_];
  std::array<std::array<Choice, 2>, kStates> choices;  // by state and parity
  for (unsigned s = 0; s < kStates; ++s) {
    Lanes targets;
    std::copy_n(step.targets, kLanes, targets.data());
    for (std::size_t i = 0; i < n_undecided_; ++i) {
      const Lanes &coefficients = step.coefficients[i], &errors = before[i][s];
      for (std::size_t l = 0; l < kLanes; ++l) targets[l] += coefficients[l] * errors[l];
    }
    for (float& target : targets) target = std::clamp(target, -kMostTarget, kMostTarget);
    if (s % 2 == 0) {
      choose<0>(targets, step, choices[s][0]);
      choose<1>(targets, step, choices[s][1]);
    } else {
      choose<2>(targets, step, choices[s][0]);
      choose<3>(targets, step, choices[s][1]);
    }
  }
  OfStates costs;
  for (unsigned s = 0; s < kStates; ++s) {
    const unsigned a = kBefore[s], b = a + 4, p = kParity[s];
    const Choice &by_a = choices[a][p], &by_b = choices[b][1 - p];
    std::array<bool, kLanes> from_b;
    Lanes& errors = after[n_undecided_][s];
    for (std::size_t l = 0; l < kLanes; ++l) {
      const float cost_a = costs_[a][l] + by_a.cost[l], cost_b = costs_[b][l] + by_b.cost[l];
      from_b[l] = cost_b < cost_a;
      costs[s][l] = from_b[l] ? cost_b : cost_a;
      errors[l] = step.weights[l] - (from_b[l] ? by_b.value[l] : by_a.value[l]);
    }
    for (std::size_t i = 0; i < n_undecided_; ++i) {
      const Lanes &of_a = before[i][a], &of_b = before[i][b];
      for (std::size_t l = 0; l < kLanes; ++l) {
        after[i][s][l] = from_b[l] ? of_b[l] : of_a[l];
      }
    }
  }
  costs_ = costs;
  current_ = 1 - current_;
  ++n_undecided_;
}

std::array<unsigned, kLanes> Survivors::best() const {
  std::array<unsigned, kLanes> best = {};
  for (std::size_t l = 0; l < kLanes; ++l) {
    for (unsigned s = 1; s < kStates; ++s) {
      if (costs_[s][l] < costs_[best[l]][l]) best[l] = s;
    }
  }
  return best;
}

void Survivors::decide(std::size_t n, float* errors) {
  assert(n <= n_undecided_);
  auto& of_paths = buffers_[current_];
  const std::array<unsigned, kLanes> decided = best();
  for (std::size_t l = 0; l < kLanes; ++l) {
    const float least = costs_[decided[l]][l];
    for (std::size_t i = 0; i < n; ++i) errors[i * kLanes + l] = of_paths[i][decided[l]][l];
    for (unsigned s = 0; s < kStates; ++s) {
      bool same = true;
      for (std::size_t i = 0; i < n; ++i) same &= of_paths[i][s][l] == errors[i * kLanes + l];
      costs_[s][l] = same && costs_[s][l] < kUnreached ? costs_[s][l] - least : kUnreached;
    }
  }
  n_undecided_ -= n;
  for (std::size_t i = 0; i < n_undecided_; ++i) of_paths[i] = of_paths[i + n];
}

}  // namespace pqw::tcq
