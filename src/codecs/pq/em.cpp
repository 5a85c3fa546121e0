// Training of one codebook: our own EM.
#include "codecs/pq/em.h"

#include <algorithm>
#include <cmath>

#include "codecs/pq/assign.h"
#include "codecs/pq/distinct.h"
#include "codecs/pq/initial_centroids.h"
#include "codecs/pq/reassign.h"
#include "codecs/pq/relocate.h"
#include "codecs/pq/update.h"

namespace pqw {
namespace {

struct Run {
  std::vector<float> codebook;
  double objective = HUGE_VAL;  // of the last E-step
};

std::vector<float> gather(BlockSpan blocks, std::span<const std::size_t> indices) {
  std::vector<float> values;
  values.reserve(indices.size() * blocks.d);
  for (const std::size_t i : indices) values.insert(values.end(), blocks[i], blocks[i] + blocks.d);
  return values;
}

std::vector<std::size_t> initial_blocks(BlockSpan blocks, const BlockWeights& weights,
                                        const PqOptions& options, std::uint64_t seed) {
  constexpr std::size_t kMostForPlusPlus = 4096;
  return options.init == Init::kPlusPlus && options.n_centroids <= kMostForPlusPlus
             ? plus_plus_blocks(blocks, options.n_centroids, seed, weights)
             : random_blocks(blocks, options.n_centroids, seed);
}

// Small tensors are cheap to try again, and it is they that bad starts hurt.
std::size_t run_count(BlockSpan blocks, const PqOptions& options) {
  constexpr std::size_t kSmall = std::size_t{1} << 26;  // multiplications of an E-step
  if (options.restarts > 0) return options.restarts;
  return blocks.values.size() <= kSmall / options.n_centroids ? 3 : 1;
}

// Every other iteration of the first three fifths: the rest is left to settle.
bool may_relocate(const PqOptions& options, const BlockWeights& weights, std::size_t iteration) {
  return options.init == Init::kPlusPlus && weights.columns.empty() &&
         options.n_centroids <= kMostForRelocation && iteration % 2 == 1 &&
         iteration <= options.iterations * 3 / 5;
}

Run run_em(BlockSpan blocks, const BlockWeights& weights, const PqOptions& options,
           std::size_t restart, std::span<std::uint16_t> codes, const OnIteration& on_iteration) {
  // Seeds of neighbouring groups and restarts must not meet.
  const std::uint64_t seed = options.seed + restart * 0x9e3779b97f4a7c15u;
  Run run{gather(blocks, initial_blocks(blocks, weights, options, seed)), HUGE_VAL};
  for (std::size_t i = 0; i < options.iterations; ++i) {
    const double previous = run.objective;
    run.objective = assign(blocks, run.codebook, codes, weights);
    Clusters clusters = update_centroids(blocks, codes, run.codebook, weights);
    const double spread = std::sqrt(run.objective / static_cast<double>(blocks.values.size()));
    const std::size_t n_reassigned =
        options.reassign == Reassign::kSplit
            ? split_into_empty_clusters(clusters, blocks.d, static_cast<float>(spread),
                                        run.codebook)
            : move_empty_clusters_to_farthest(clusters, blocks, codes, weights, run.codebook);
    const std::size_t n_relocated = may_relocate(options, weights, i)
                                        ? relocate_centroids(blocks, codes, weights, run.codebook)
                                        : 0;
    on_iteration({0, restart, i, run.objective, n_reassigned + n_relocated});
    // No end on the strength of an iteration that also moved centroids elsewhere.
    const bool converged = previous - run.objective <= options.tolerance * previous;
    if (i > 0 && n_reassigned + n_relocated == 0 && converged) break;
  }
  return run;
}

}  // namespace

std::vector<float> train_codebook(BlockSpan blocks, const BlockWeights& weights,
                                  const PqOptions& options, const OnIteration& on_iteration) {
  const auto distinct = distinct_blocks(blocks, options.n_centroids + 1);
  if (distinct.size() <= options.n_centroids) return gather(blocks, distinct);
  if (options.engine == Engine::kFaiss) return train_with_faiss(blocks, options, on_iteration);
  std::vector<std::uint16_t> codes(blocks.count());
  Run best;
  for (std::size_t restart = 0; restart < run_count(blocks, options); ++restart) {
    Run run = run_em(blocks, weights, options, restart, codes, on_iteration);
    if (restart == 0 || run.objective < best.objective) best = std::move(run);
  }
  return best.codebook;
}

}  // namespace pqw
