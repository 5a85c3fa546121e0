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

// Moves every centroid kOvershoot times as far as its mean. For given codes the objective is a
// parabola in this factor, lowest at 1 and back where it was at 2: it never rises, and the next
// E-steps have come further. (Plain steps creep once the assignments barely change.)
constexpr float kOvershoot = 1.8f;
void overshoot(std::span<const float> before, std::span<float> codebook) {
  for (std::size_t i = 0; i < codebook.size(); ++i) {
    codebook[i] = before[i] + kOvershoot * (codebook[i] - before[i]);
  }
}

Run run_em(BlockSpan blocks, const BlockWeights& weights, const PqOptions& options,
           std::size_t restart, std::span<std::uint16_t> codes, const OnIteration& on_iteration) {
  // Seeds of neighbouring groups and restarts must not meet.
  const std::uint64_t seed = options.seed + restart * 0x9e3779b97f4a7c15u;
  const bool can_relocate = weights.columns.empty() && options.n_centroids <= kMostForRelocation;
  Run run{gather(blocks, initial_blocks(blocks, weights, options, seed)), HUGE_VAL};
  // Starting from k-means++ it explores first, with long steps and relocations, and then settles;
  // from uniform draws it is plain EM throughout.
  bool exploring = options.init == Init::kPlusPlus;
  for (std::size_t i = 0; i < options.iterations; ++i) {
    exploring = exploring && i <= options.iterations * 3 / 5;
    const double previous = run.objective;
    run.objective = assign(blocks, run.codebook, codes, weights);
    const std::vector<float> before = run.codebook;
    Clusters clusters = update_centroids(blocks, codes, run.codebook, weights);
    const double spread = std::sqrt(run.objective / static_cast<double>(blocks.values.size()));
    std::size_t n_reassigned = 0;
    if (exploring) overshoot(before, run.codebook);
    if (exploring && i % 2 == 1 && can_relocate) {
      n_reassigned = relocate_centroids(blocks, codes, weights, run.codebook);
    }
    n_reassigned +=
        options.reassign == Reassign::kSplit
            ? split_into_empty_clusters(clusters, blocks.d, static_cast<float>(spread),
                                        run.codebook)
            : move_empty_clusters_to_farthest(clusters, blocks, codes, weights, run.codebook);
    on_iteration({0, restart, i, run.objective, n_reassigned});
    // No end on the strength of an iteration that also moved centroids elsewhere.
    if (i == 0 || n_reassigned > 0 || previous - run.objective > options.tolerance * previous) {
      continue;
    }
    if (!exploring) break;
    exploring = false;
  }
  return run;
}

}  // namespace

std::vector<float> train_codebook(BlockSpan blocks, const BlockWeights& weights,
                                  const PqOptions& options, std::span<std::uint16_t> codes,
                                  const OnIteration& on_iteration) {
  const auto distinct = distinct_blocks(blocks, options.n_centroids + 1);
  if (distinct.size() <= options.n_centroids) return gather(blocks, distinct);
  if (options.engine == Engine::kFaiss) return train_with_faiss(blocks, options, on_iteration);
  Run best;
  for (std::size_t restart = 0; restart < run_count(blocks, options); ++restart) {
    Run run = run_em(blocks, weights, options, restart, codes, on_iteration);
    if (restart == 0 || run.objective < best.objective) best = std::move(run);
  }
  return best.codebook;
}

}  // namespace pqw
