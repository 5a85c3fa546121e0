// Training of one codebook: our own EM.
#include "codecs/pq/em.h"

#include <algorithm>
#include <cmath>

#include "codecs/pq/assign.h"
#include "codecs/pq/distinct.h"
#include "codecs/pq/initial_centroids.h"
#include "codecs/pq/reassign.h"
#include "codecs/pq/update.h"

namespace pqw {
namespace {

std::vector<float> gather(BlockSpan blocks, std::span<const std::size_t> indices) {
  std::vector<float> values;
  values.reserve(indices.size() * blocks.d);
  for (const std::size_t i : indices) values.insert(values.end(), blocks[i], blocks[i] + blocks.d);
  return values;
}

std::vector<std::size_t> initial_blocks(BlockSpan blocks, const PqOptions& options) {
  constexpr std::size_t kMostForPlusPlus = 4096;
  return options.init == Init::kPlusPlus && options.n_centroids <= kMostForPlusPlus
             ? plus_plus_blocks(blocks, options.n_centroids, options.seed)
             : random_blocks(blocks, options.n_centroids, options.seed);
}

std::vector<float> train_natively(BlockSpan blocks, const PqOptions& options,
                                  const OnIteration& on_iteration) {
  std::vector<float> codebook = gather(blocks, initial_blocks(blocks, options));
  std::vector<std::uint16_t> codes(blocks.count());
  double previous = 0;
  for (std::size_t i = 0; i < options.iterations; ++i) {
    const double objective = assign(blocks, codebook, codes);
    Clusters clusters = update_centroids(blocks, codes, codebook);
    const double spread = std::sqrt(objective / static_cast<double>(blocks.values.size()));
    const std::size_t n_reassigned =
        reassign_empty_clusters(clusters, blocks.d, static_cast<float>(spread), codebook);
    on_iteration({0, i, objective, n_reassigned});
    // No early end on the strength of a step that also moved centroids elsewhere.
    if (i > 0 && n_reassigned == 0 && previous - objective <= options.tolerance * previous) break;
    previous = objective;
  }
  return codebook;
}

}  // namespace

std::vector<float> train_codebook(BlockSpan blocks, const PqOptions& options,
                                  const OnIteration& on_iteration) {
  const auto distinct = distinct_blocks(blocks, options.n_centroids + 1);
  if (distinct.size() <= options.n_centroids) return gather(blocks, distinct);
  return options.engine == Engine::kFaiss ? train_with_faiss(blocks, options, on_iteration)
                                          : train_natively(blocks, options, on_iteration);
}

}  // namespace pqw
