// Random test data, and distances in double to judge results on it.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

#include "pqw/core/matrix.h"

namespace pqw::test {

// Independent normal values.
inline std::vector<float> normal_values(std::size_t n, unsigned seed, float mean = 0,
                                        float sigma = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, sigma);
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// Points of dimension d around `n_centres` random centres: data with clusters to be found.
inline std::vector<float> mixture_values(std::size_t n_points, std::size_t d, std::size_t n_centres,
                                         unsigned seed, float sigma) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> centres(n_centres * d);
  for (float& value : centres) value = normal(random);
  std::vector<float> values;
  for (std::size_t i = 0; i < n_points; ++i) {
    const std::size_t centre = random() % n_centres;
    for (std::size_t j = 0; j < d; ++j) {
      values.push_back(centres[centre * d + j] + sigma * normal(random));
    }
  }
  return values;
}

// Σ_j (a[j] - b[j])² in double.
inline double squared_distance(const float* a, const float* b, std::size_t d) {
  double sum = 0;
  for (std::size_t j = 0; j < d; ++j) {
    const double difference = static_cast<double>(a[j]) - b[j];
    sum += difference * difference;
  }
  return sum;
}

}  // namespace pqw::test
