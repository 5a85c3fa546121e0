// Chooses the blocks that EM starts from: uniform draws, and greedy k-means++.
#include "codecs/pq/train/initial_centroids.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "codecs/pq/train/distinct.h"
#include "codecs/train/random.h"
#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kChunk = 1024;    // points per partial sum
constexpr std::size_t kCandidates = 3;  // more take longer than the EM iterations that they save

// The sampled points, dimension by dimension, with the squared distance of each to the nearest
// chosen one.
class Seeding {
 public:
  Seeding(BlockSpan blocks, std::vector<std::size_t> sample, const BlockWeights& weights)
      : blocks_(blocks),
        sample_(std::move(sample)),
        coordinates_(sample_.size() * blocks.d),
        column_weights_(weights.columns.empty() ? 0 : coordinates_.size()),
        row_weights_(weights.rows.empty() ? 0 : sample_.size()),
        distances_(sample_.size(), std::numeric_limits<float>::max()),
        trials_(kCandidates * sample_.size()),
        chunk_sums_((sample_.size() + kChunk - 1) / kChunk) {
    for (std::size_t i = 0; i < sample_.size(); ++i) {
      for (std::size_t j = 0; j < blocks.d; ++j) {
        coordinates_[j * sample_.size() + i] = blocks[sample_[i]][j];
        if (column_weights_.empty()) continue;
        column_weights_[j * sample_.size() + i] = weights.of_columns(sample_[i], blocks.d)[j];
      }
      if (!row_weights_.empty()) row_weights_[i] = weights.of_row(sample_[i]);
    }
  }

  std::size_t size() const { return sample_.size(); }
  std::size_t block(std::size_t point) const { return sample_[point]; }
  double potential() const { return total(chunk_sums_); }

  // A point, with a probability proportional to its distance. REQUIRES: potential() > 0.
  std::size_t draw(Random& random) const {
    double target = unit(random) * potential();
    std::size_t chunk = 0;
    while (chunk + 1 < chunk_sums_.size() && target >= chunk_sums_[chunk]) {
      target -= chunk_sums_[chunk++];
    }
    const std::size_t end = std::min(size(), (chunk + 1) * kChunk);
    std::size_t last_positive = end;
    for (std::size_t i = chunk * kChunk; i < end; ++i) {
      if (distances_[i] <= 0) continue;
      last_positive = i;
      target -= distances_[i];
      if (target < 0) return i;
    }
    return last_positive < end ? last_positive : farthest();  // rounding ate the target
  }

  // Chooses the candidate that leaves the smallest potential, the first of equals.
  std::size_t choose_best(std::span<const std::size_t> candidates) {
    const std::size_t n_chunks = chunk_sums_.size();
    std::vector<double> sums(candidates.size() * n_chunks);
    const Workers workers(candidates.size() * coordinates_.size(), 4);
    workers.for_each(n_chunks, [&](std::size_t chunk) {
      for (std::size_t c = 0; c < candidates.size(); ++c) {
        sums[c * n_chunks + chunk] =
            distances_with(candidates[c], chunk, trials_.data() + c * size() + chunk * kChunk);
      }
    });
    const auto sums_of = [&](std::size_t c) {
      return std::span(sums).subspan(c * n_chunks, n_chunks);
    };
    std::size_t best = 0;
    for (std::size_t c = 1; c < candidates.size(); ++c) {
      if (total(sums_of(c)) < total(sums_of(best))) best = c;
    }
    std::copy_n(trials_.data() + best * size(), size(), distances_.data());
    std::ranges::copy(sums_of(best), chunk_sums_.begin());
    return candidates[best];
  }

 private:
  static double total(std::span<const double> sums) {
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

  std::size_t farthest() const {
    return static_cast<std::size_t>(std::max_element(distances_.begin(), distances_.end()) -
                                    distances_.begin());
  }

  static void multiply(float* values, const float* factors, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) values[i] *= factors[i];
  }

  // In as many sums as vectors need: one sum would wait for each addition.
  static double sum_of(std::span<const float> values) {
    std::array<double, 8> sums = {};
    std::size_t i = 0;
    for (; i + sums.size() <= values.size(); i += sums.size()) {
      for (std::size_t lane = 0; lane < sums.size(); ++lane) sums[lane] += values[i + lane];
    }
    for (; i < values.size(); ++i) sums[0] += values[i];
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

  // The distances of a chunk if `point` were chosen as well; returns their sum.
  double distances_with(std::size_t point, std::size_t chunk, float* out) const {
    const std::size_t begin = chunk * kChunk;
    const std::size_t n = std::min(kChunk, size() - begin);
    const float* present = distances_.data() + begin;
    float distances[kChunk] = {};
    float terms[kChunk];
    for (std::size_t j = 0; j < blocks_.d; ++j) {
      const float* coordinate = coordinates_.data() + j * size();
      const float centre = coordinate[point];
      for (std::size_t i = 0; i < n; ++i) {
        const float difference = coordinate[begin + i] - centre;
        terms[i] = difference * difference;
      }
      if (!column_weights_.empty()) multiply(terms, column_weights_.data() + j * size() + begin, n);
      for (std::size_t i = 0; i < n; ++i) distances[i] += terms[i];
    }
    if (!row_weights_.empty()) multiply(distances, row_weights_.data() + begin, n);
    for (std::size_t i = 0; i < n; ++i) out[i] = std::min(distances[i], present[i]);
    return sum_of({out, n});
  }

  BlockSpan blocks_;
  std::vector<std::size_t> sample_;
  std::vector<float> coordinates_;     // [d][size]
  std::vector<float> column_weights_;  // [d][size], or empty
  std::vector<float> row_weights_;     // [size], or empty
  std::vector<float> distances_;       // [size]
  std::vector<float> trials_;  // [kCandidates][size]: the distances if a candidate were chosen
  std::vector<double> chunk_sums_;
};

std::vector<std::size_t> draw_sample(std::size_t n_blocks, std::size_t n_points, Random& random) {
  std::vector<std::size_t> sample(std::min(n_blocks, n_points));
  if (sample.size() == n_blocks) {
    std::iota(sample.begin(), sample.end(), std::size_t{0});
  } else {
    for (std::size_t& index : sample) index = below(n_blocks, random);
  }
  return sample;
}

}  // namespace

std::vector<std::size_t> random_blocks(BlockSpan blocks, std::size_t n, std::uint64_t seed) {
  Random random(seed);
  DistinctSet seen(blocks);
  std::vector<std::size_t> chosen;
  // Enough draws to find nearly all of n distinct blocks unless most blocks are equal.
  for (std::size_t draw = 0; draw < 16 * n && chosen.size() < n; ++draw) {
    const std::size_t index = below(blocks.count(), random);
    if (seen.insert(index)) chosen.push_back(index);
  }
  for (std::size_t i = 0; i < blocks.count() && chosen.size() < n; ++i) {
    if (seen.insert(i)) chosen.push_back(i);
  }
  return chosen;
}

std::vector<std::size_t> plus_plus_blocks(BlockSpan blocks, std::size_t n, std::uint64_t seed,
                                          const BlockWeights& weights) {
  Random random(seed);
  Seeding seeding(blocks, draw_sample(blocks.count(), n * kSamplePerCentroid, random), weights);
  std::vector<std::size_t> candidates = {below(seeding.size(), random)};
  std::vector<std::size_t> chosen;
  while (true) {
    chosen.push_back(seeding.block(seeding.choose_best(candidates)));
    if (chosen.size() == n || seeding.potential() <= 0) break;
    candidates.resize(kCandidates);
    for (std::size_t& candidate : candidates) candidate = seeding.draw(random);
  }
  if (chosen.size() == n) return chosen;
  // The sample has fewer distinct blocks than are wanted.
  DistinctSet seen(blocks);
  for (const std::size_t index : chosen) seen.insert(index);
  for (const std::size_t index : random_blocks(blocks, n, seed)) {
    if (chosen.size() < n && seen.insert(index)) chosen.push_back(index);
  }
  return chosen;
}

}  // namespace pqw
