// The Viterbi algorithm. The loops over lanes have a form that compilers vectorise.
#include "codecs/tcq/train/viterbi.h"

#include <algorithm>
#include <cmath>

#include "codecs/tcq/train/subsets.h"

namespace pqw::tcq {
namespace {

constexpr std::size_t kStepsPerRescale = 64;  // costs of paths stay small, so float is enough

template <unsigned kSubset>
void cost(const float* a, Lanes& costs) {
  for (std::size_t l = 0; l < kLanes; ++l) costs[l] = square(a[l] - nearest<kSubset>(a[l]));
}

template <unsigned kSubset>
void rated_cost(const float* a, const std::uint8_t* classes, const Rates& rates, Lanes& costs,
                std::uint8_t* choices) {
  constexpr unsigned kQuantizer = kSubset / 2;
  for (std::size_t l = 0; l < kLanes; ++l) {
    const auto& of_index = rates[classes[l]][kQuantizer];
    float best = 0;
    unsigned choice = 0;
    for (unsigned i = 0; i < 3; ++i) {
      const float n = candidate<kSubset>(a[l], i);
      const auto index = (static_cast<std::size_t>(n) + kQuantizer) / 2;
      const float total = square(a[l] - n) + of_index[std::min(index, kRatedIndices - 1)];
      if (i > 0 && !(total < best)) continue;
      best = total;
      choice = i;
    }
    costs[l] = best;
    choices[l] = static_cast<std::uint8_t>(choices[l] | choice << 2 * kSubset);
  }
}

float magnitude_by(unsigned subset, float a, unsigned choice) {
  switch (subset) {
    case 0:
      return candidate<0>(a, choice);
    case 1:
      return candidate<1>(a, choice);
    case 2:
      return candidate<2>(a, choice);
    default:
      return candidate<3>(a, choice);
  }
}

// Adds a step to all paths. `costs` are of the subsets.
void extend(const std::array<Lanes, 4>& costs, std::array<Lanes, kStates>& paths,
            std::uint8_t* decisions) {
  std::array<Lanes, kStates> next;
  std::array<std::int32_t, kLanes> bits = {};
#pragma GCC unroll 8
  for (unsigned s = 0; s < kStates; ++s) {
    const unsigned q = kBefore[s] % 2, p = kParity[s];
    const Lanes& a = paths[kBefore[s]];
    const Lanes& b = paths[kBefore[s] + 4];
    const Lanes& to_a = costs[2 * q + p];
    const Lanes& to_b = costs[2 * q + 1 - p];
    for (std::size_t l = 0; l < kLanes; ++l) {
      const float by_a = a[l] + to_a[l], by_b = b[l] + to_b[l];
      bits[l] |= by_b < by_a ? 1 << s : 0;
      next[s][l] = by_b < by_a ? by_b : by_a;
    }
  }
  paths = next;
  for (std::size_t l = 0; l < kLanes; ++l) decisions[l] = static_cast<std::uint8_t>(bits[l]);
}

void rescale(std::array<Lanes, kStates>& paths) {
  for (std::size_t l = 0; l < kLanes; ++l) {
    float least = paths[0][l];
    for (const Lanes& path : paths) least = std::min(least, path[l]);
    for (Lanes& path : paths) path[l] -= least;
  }
}

}  // namespace

template <bool kRated>
void Viterbi::forward(const Chain& chain, const Rates* rates) {
  const std::size_t n_steps = chain.weights.size() / kLanes;
  constexpr float kUnreached = 1e30f;
  std::array<Lanes, kStates> paths;
  for (Lanes& path : paths) path.fill(kUnreached);
  paths[0].fill(0);
  std::array<Lanes, 4> costs;
  for (std::size_t t = 0; t < n_steps; ++t) {
    Lanes a;
    for (std::size_t l = 0; l < kLanes; ++l) a[l] = std::abs(chain.weights[t * kLanes + l]);
    if constexpr (kRated) {
      const std::uint8_t* classes = chain.classes.data() + t * kLanes;
      std::uint8_t* choices = choices_.data() + t * kLanes;
      std::fill_n(choices, kLanes, std::uint8_t{0});
      rated_cost<0>(a.data(), classes, *rates, costs[0], choices);
      rated_cost<1>(a.data(), classes, *rates, costs[1], choices);
      rated_cost<2>(a.data(), classes, *rates, costs[2], choices);
      rated_cost<3>(a.data(), classes, *rates, costs[3], choices);
    } else {
      cost<0>(a.data(), costs[0]);
      cost<1>(a.data(), costs[1]);
      cost<2>(a.data(), costs[2]);
      cost<3>(a.data(), costs[3]);
    }
    extend(costs, paths, decisions_.data() + t * kLanes);
    if (t % kStepsPerRescale == kStepsPerRescale - 1) rescale(paths);
  }
  for (std::size_t l = 0; l < kLanes; ++l) {
    best_[l] = 0;
    for (unsigned s = 1; s < kStates; ++s) {
      if (paths[s][l] < paths[best_[l]][l]) best_[l] = s;
    }
  }
}

template <bool kRated>
void Viterbi::backward(Chain& chain) const {
  const std::size_t n_steps = chain.weights.size() / kLanes;
  std::array<unsigned, kLanes> states = best_;
  for (std::size_t t = n_steps; t-- > 0;) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t i = t * kLanes + l;
      const unsigned bit = decisions_[i] >> states[l] & 1u;
      const unsigned parity = kParity[states[l]] ^ bit;
      const unsigned before = kBefore[states[l]] + 4 * bit;
      const unsigned subset = before % 2 * 2 + parity;
      const unsigned choice = kRated ? choices_[i] >> 2 * subset & 3u : 0;
      const float weight = chain.weights[i];
      const auto n = static_cast<int>(magnitude_by(subset, std::abs(weight), choice));
      chain.values[i] = static_cast<std::int16_t>(weight < 0 ? -n : n);
      states[l] = before;
    }
  }
}

void Viterbi::run(Chain& chain, const Rates* rates) {
  const std::size_t n = chain.weights.size();
  decisions_.resize(n);
  chain.values.resize(n);
  if (rates == nullptr) {
    forward<false>(chain, rates);
    return backward<false>(chain);
  }
  choices_.resize(n);
  forward<true>(chain, rates);
  backward<true>(chain);
}

}  // namespace pqw::tcq
