// The k-means problems of the benchmark.
#include <algorithm>
#include <memory>
#include <random>

#include "bench/em.h"
#include "pqw/codecs/encode.h"
#include "pqw/formats/weight_file.h"

namespace pqw::bench {
namespace {

struct Mixture {
  const char* name;
  std::size_t n_blocks;
  std::size_t block_size;
  std::size_t n_centroids;
  unsigned seed;
};

// 1000 components of standard deviation 0.5 around means from N(0, I); component floor(1000 u²) of
// a uniform u, so that the first ones are the most frequent.
std::vector<float> draw(const Mixture& mixture, std::size_t n_blocks) {
  constexpr std::size_t kComponents = 1000;
  const std::size_t d = mixture.block_size;
  std::mt19937_64 random(mixture.seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<double> uniform;
  std::vector<float> means(kComponents * d);
  for (float& v : means) v = normal(random);
  std::vector<float> blocks(n_blocks * d);
  for (std::size_t i = 0; i < n_blocks; ++i) {
    const double u = uniform(random);
    const auto component = static_cast<std::size_t>(kComponents * u * u);
    for (std::size_t j = 0; j < d; ++j) {
      blocks[i * d + j] = means[component * d + j] + 0.5F * normal(random);
    }
  }
  return blocks;
}

std::vector<std::size_t> largest_matrices(const WeightReader& reader, std::size_t n) {
  const std::vector<TensorInfo>& tensors = reader.tensors();
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].shape.size() >= 2 && is_compressible(tensors[i].dtype)) found.push_back(i);
  }
  std::ranges::stable_sort(found, std::greater{},
                           [&](std::size_t i) { return element_count(tensors[i].shape); });
  found.resize(std::min(n, found.size()));
  return found;
}

}  // namespace

std::vector<Case> synthetic_cases(std::size_t shrink) {
  std::vector<Case> cases;
  for (const Mixture& m :
       {Mixture{"mixture-2M-d8-K256", 2'000'000, 8, 256, 1},
        Mixture{"conv-512x512x3x3", 262'144, 9, 256, 2}, Mixture{"2M-d4-K16", 2'000'000, 4, 16, 3},
        Mixture{"500k-d8-K4096", 500'000, 8, 4096, 4}}) {
    const std::size_t n = m.n_blocks / shrink;
    cases.push_back({m.name, n, m.block_size, m.n_centroids, [m, n] { return draw(m, n); }});
  }
  return cases;
}

std::vector<Case> layer_cases(const std::string& path, std::size_t n_layers) {
  constexpr std::size_t kBlockSize = 4;
  const std::shared_ptr<WeightReader> reader = open_weights(path);
  std::vector<Case> cases;
  for (const std::size_t i : largest_matrices(*reader, n_layers)) {
    const TensorInfo& info = reader->tensors()[i];
    const MatrixShape shape = matrix_shape(info.shape);
    const std::size_t n_blocks = shape.rows * ((shape.cols + kBlockSize - 1) / kBlockSize);
    cases.push_back({"layer:" + info.name, n_blocks, kBlockSize, 256, [reader, i] {
                       const std::vector<std::byte> bytes = reader->read(i);
                       const FloatTensor tensor = read_floats(reader->tensors()[i], bytes);
                       return cut_blocks(tensor, kBlockSize).values;
                     }});
  }
  return cases;
}

}  // namespace pqw::bench
