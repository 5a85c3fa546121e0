// The k-means problems of the benchmark.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace pqw::bench {

struct Case {
  std::string name;
  std::size_t block_size = 0;
  std::size_t n_centroids = 0;
  std::function<std::vector<float>()> blocks;  // float[N][block_size]
};

// Gaussian mixtures from fixed seeds, of N / shrink blocks each.
std::vector<Case> synthetic_cases(std::size_t shrink);

// The n_layers largest float tensors of rank >= 2 in a file of weights, in blocks of 4 with 256
// centroids, called "layer:<tensor>". Errors: pqw::Error.
std::vector<Case> layer_cases(const std::string& path, std::size_t n_layers);

constexpr const char* kLayerPrefix = "layer:";

}  // namespace pqw::bench
