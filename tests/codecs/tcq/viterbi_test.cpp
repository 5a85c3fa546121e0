// The trellis and the Viterbi algorithm, against a search of all paths in double.
#include "codecs/tcq/train/viterbi.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codecs/tcq/value/tokens.h"
#include "tests/support/random_matrix.h"

namespace pqw::tcq {
namespace {

TEST(Trellis, HasTheTransitionsOfUngerboecksCode) {
  // Of each state, by the parity of k: the recursion written out.
  const unsigned expected[8][2] = {{0, 2}, {5, 7}, {1, 3}, {4, 6}, {2, 0}, {7, 5}, {3, 1}, {6, 4}};
  for (unsigned s = 0; s < kStates; ++s) {
    for (unsigned p = 0; p < 2; ++p) EXPECT_EQ(next_state(s, p), expected[s][p]) << s << " " << p;
  }
}

TEST(Trellis, IndicesOfQuantizersAreTheirIntegers) {
  for (unsigned q = 0; q < 2; ++q) {
    for (unsigned k = 0; k < 100; ++k) EXPECT_EQ(index_of(magnitude_of(k, q), q), k);
  }
  EXPECT_EQ(magnitude_of(3, 0), 6u);
  EXPECT_EQ(magnitude_of(3, 1), 5u);
  EXPECT_EQ(magnitude_of(0, 1), 0u);
}

TEST(Tokens, AreIndicesWithTheirRawBits) {
  EXPECT_EQ(token_of(15), 15u);
  EXPECT_EQ(token_of(16), 16u);
  EXPECT_EQ(token_of(31), 17u);
  EXPECT_EQ(raw_of(31), 7u);
  EXPECT_EQ(token_of(16384), kTokens - 2);
  for (unsigned index = 0; index <= 16384; ++index) {
    const unsigned token = token_of(index);
    ASSERT_LT(token, kTokens);
    ASSERT_EQ(token % 2, index % 2);
    if (token < kDirect) continue;
    ASSERT_LT(raw_of(index), 1u << raw_bits(token));
    ASSERT_EQ(index_of_raw(token, raw_of(index)), index);
  }
}

// The least cost of weights i .. end from a state, over all integers in -12 .. 12.
double least_cost(const std::vector<double>& weights, std::size_t i, unsigned state,
                  const Rates* rates) {
  if (i == weights.size()) return 0;
  double least = std::numeric_limits<double>::infinity();
  const unsigned q = state % 2;
  for (unsigned index = 0; index <= 6; ++index) {
    const double rest = least_cost(weights, i + 1, next_state(state, index % 2), rates);
    const double rate = rates == nullptr ? 0 : double{(*rates)[0][q][index]};
    for (const int sign : {-1, 1}) {
      const double error = weights[i] - sign * static_cast<int>(magnitude_of(index, q));
      least = std::min(least, error * error + rate + rest);
    }
  }
  return least;
}

double cost_of(const std::vector<double>& weights, const std::vector<int>& path,
               const Rates* rates) {
  unsigned state = 0;
  double cost = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const unsigned q = state % 2;
    const unsigned index = index_of(static_cast<unsigned>(std::abs(path[i])), q);
    EXPECT_EQ(magnitude_of(index, q), static_cast<unsigned>(std::abs(path[i]))) << "not a path";
    const double error = weights[i] - path[i];
    cost += error * error + (rates == nullptr ? 0 : double{(*rates)[0][q][index]});
    state = next_state(state, index % 2);
  }
  return cost;
}

void expect_least(float spread, const Rates* rates) {
  constexpr std::size_t kSteps = 4;
  Chain chain;
  chain.weights = test::normal_values(kSteps * kLanes, 3);
  for (float& weight : chain.weights) weight = std::clamp(weight * spread, -9.0f, 9.0f);
  chain.classes.assign(chain.weights.size(), 0);
  Viterbi().run(chain, rates);
  for (std::size_t l = 0; l < kLanes; ++l) {
    std::vector<double> weights;
    std::vector<int> path;
    for (std::size_t t = 0; t < kSteps; ++t) {
      weights.push_back(chain.weights[t * kLanes + l]);
      path.push_back(chain.values[t * kLanes + l]);
    }
    EXPECT_NEAR(cost_of(weights, path, rates), least_cost(weights, 0, 0, rates), 1e-4);
  }
}

TEST(Viterbi, FindsTheNearestPath) {
  for (const float spread : {0.3f, 1.0f, 4.0f}) expect_least(spread, nullptr);
}

TEST(Viterbi, FindsThePathOfLeastCostWithRates) {
  Rates rates(1);
  for (std::size_t i = 0; i < kRatedIndices; ++i) {
    rates[0][0][i] = 0.2f * static_cast<float>(i);
    rates[0][1][i] = i == 0 ? 0.1f : 0.4f + 0.25f * static_cast<float>(i);
  }
  for (const float spread : {0.3f, 1.0f, 4.0f}) expect_least(spread, &rates);
}

// The integers of a path are at most 2 apart from the weights: every state allows one of each four.
TEST(Viterbi, LongPathsDoNotLosePrecision) {
  Chain chain;
  chain.weights.assign(100'000 * kLanes, 0.0f);
  for (std::size_t i = 0; i < chain.weights.size(); ++i) {
    chain.weights[i] = i / kLanes % 2 == 0 ? 0.5f : -3000.25f;
  }
  Viterbi().run(chain, nullptr);
  double error = 0;
  for (std::size_t i = 0; i < chain.weights.size(); ++i) {
    error += std::pow(chain.weights[i] - chain.values[i], 2);
  }
  EXPECT_LT(error / static_cast<double>(chain.weights.size()), 0.5);
}

}  // namespace
}  // namespace pqw::tcq
