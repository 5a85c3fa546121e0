// Training of one codebook: our own EM.
#include "codecs/pq/train/em.h"

#include <algorithm>
#include <cmath>

#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/distinct.h"
#include "codecs/pq/train/initial_centroids.h"
#include "codecs/pq/train/reassign.h"
#include "codecs/pq/train/relocate.h"
#include "codecs/pq/train/sample.h"
#include "codecs/pq/train/update.h"

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
  return options.init == Init::kPlusPlus && options.n_centroids <= kMostForPlusPlus
             ? plus_plus_blocks(blocks, options.n_centroids, seed, weights)
             : random_blocks(blocks, options.n_centroids, seed);
}

// Over-relaxation, as in D. Lee, S. Baek and K. Sung, "Modified K-means algorithm for vector
// quantizer design" (IEEE Signal Processing Letters 4, 1997): a centroid moves kOverRelaxation
// times as far as its mean. For given codes the objective is a parabola in this factor, lowest at 1
// and back at its old value at 2, so it never rises; and the next E-steps start further on. Plain
// steps are small once the assignments barely change.
constexpr float kOverRelaxation = 1.8f;
void over_relax(std::span<const float> before, std::span<float> codebook) {
  for (std::size_t i = 0; i < codebook.size(); ++i) {
    codebook[i] = before[i] + kOverRelaxation * (codebook[i] - before[i]);
  }
}

// One codebook's problem, and who follows it.
struct Problem {
  BlockSpan blocks;
  const BlockWeights& weights;
  const PqOptions& options;
  std::span<std::uint16_t> codes;  // of the blocks
  const OnIteration& on_iteration;
};

// Iterations first .. last-1. While exploring, steps are long and centroids relocate; it ends in
// iteration `settle` at the latest, or when it has converged. Then the iterations are plain EM.
void iterate(const Problem& problem, std::size_t restart, std::size_t first, std::size_t settle,
             std::size_t last, Run& run) {
  const auto& [blocks, weights, options, codes, on_iteration] = problem;
  const bool can_relocate = weights.columns.empty() && options.n_centroids <= kMostForRelocation;
  bool exploring = true;
  run.objective = HUGE_VAL;  // the objective over other blocks is not comparable
  for (std::size_t i = first; i < last; ++i) {
    exploring = exploring && i < settle;
    const double previous = run.objective;
    run.objective = assign(blocks, run.codebook, codes, weights);
    const std::vector<float> before = run.codebook;
    Clusters clusters = update_centroids(blocks, codes, run.codebook, weights);
    const double spread = std::sqrt(run.objective / static_cast<double>(blocks.values.size()));
    std::size_t n_reassigned = 0;
    if (exploring) over_relax(before, run.codebook);
    if (exploring && i % 2 == 1 && can_relocate) {
      n_reassigned = relocate_centroids(blocks, codes, weights, run.codebook);
    }
    n_reassigned +=
        options.reassign == Reassign::kSplit
            ? split_into_empty_clusters(clusters, blocks.d, static_cast<float>(spread),
                                        run.codebook)
            : move_empty_clusters_to_farthest(clusters, blocks, codes, weights, run.codebook);
    on_iteration({0, restart, i, blocks.count(), run.objective, n_reassigned});
    // An iteration that relocated centroids does not end the loop: its objective is not comparable.
    if (i == first || n_reassigned > 0 || previous - run.objective > options.tolerance * previous) {
      continue;
    }
    if (!exploring) break;
    exploring = false;
  }
}

// Different groups and restarts must get different seeds.
std::uint64_t seed_of(const PqOptions& options, std::size_t restart) {
  return options.seed + restart * 0x9e3779b97f4a7c15u;
}

// Starting from k-means++ EM explores and then settles; from uniform draws it is plain EM.
std::size_t exploring_iterations(const PqOptions& options) {
  if (options.init != Init::kPlusPlus) return 0;
  return std::min(options.iterations, options.iterations * 3 / 5 + 1);
}

// The best of several runs of `iterations` iterations.
Run best_run(const Problem& problem, std::size_t iterations) {
  const PqOptions& options = problem.options;
  Run best;
  for (std::size_t restart = 0; restart < options.restarts; ++restart) {
    Run run;
    run.codebook = gather(problem.blocks, initial_blocks(problem.blocks, problem.weights, options,
                                                         seed_of(options, restart)));
    iterate(problem, restart, 0, exploring_iterations(options), iterations, run);
    if (restart == 0 || run.objective < best.objective) best = std::move(run);
  }
  return best;
}

// The same with FAISS; our own E-step computes the objective.
Run best_run_of_faiss(const Problem& problem) {
  Run best;
  for (std::size_t restart = 0; restart < problem.options.restarts; ++restart) {
    PqOptions options = problem.options;
    options.seed = seed_of(options, restart);
    Run run;
    run.codebook = train_with_faiss(problem.blocks, options, [&](EmIteration iteration) {
      iteration.restart = restart;
      problem.on_iteration(iteration);
    });
    run.objective = assign(problem.blocks, run.codebook, problem.codes, problem.weights);
    if (restart == 0 || run.objective < best.objective) best = std::move(run);
  }
  return best;
}

}  // namespace

std::vector<float> train_codebook(BlockSpan blocks, const BlockWeights& weights,
                                  const PqOptions& options, std::span<std::uint16_t> codes,
                                  const OnIteration& on_iteration) {
  const auto distinct = distinct_blocks(blocks, options.n_centroids + 1);
  if (distinct.size() <= options.n_centroids) return gather(blocks, distinct);
  const Problem problem{blocks, weights, options, codes, on_iteration};
  if (options.engine == Engine::kFaiss) return best_run_of_faiss(problem).codebook;
  if (!weights.columns.empty() || sample_size(blocks.count(), options) == blocks.count()) {
    return best_run(problem, options.iterations).codebook;
  }
  const Sample sample = sample_blocks(blocks, options, options.seed, weights);
  std::vector<std::uint16_t> sample_codes(sample.values.size() / blocks.d);
  const BlockWeights sample_weights{sample_codes.size(), sample.weights, {}};
  const std::size_t settle = exploring_iterations(options);
  Run run = best_run(
      {{sample.values, blocks.d}, sample_weights, options, sample_codes, on_iteration}, settle);
  constexpr std::size_t kLongSteps =
      3;  // over-relaxed steps, from the optimum of the sample towards that of all blocks
  iterate(problem, 0, settle, settle + kLongSteps, options.iterations, run);
  return run.codebook;
}

}  // namespace pqw
