// Entropy-constrained EM: E-steps whose biases are the lengths of codes; removal of centroids.
#include "codecs/pq/train/ecvq.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/class_lengths.h"
#include "codecs/pq/train/update.h"
#include "core/parallel.h"

namespace pqw {
namespace {

// Rows of one class and one weight, which share the lengths of codes, with copies of their blocks.
struct RowSet {
  std::size_t row_class;
  float weight;
  std::vector<std::size_t> rows;
  std::vector<float> values;         // [positions][rows][d]
  std::vector<std::uint16_t> codes;  // [positions][rows]
};

std::vector<RowSet> split_rows(const EcvqProblem& problem,
                               std::span<const std::uint8_t> row_classes) {
  const BlockSpan& blocks = problem.blocks;
  const BlockWeights& weights = problem.weights;
  std::vector<std::size_t> order(weights.n_rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t row) {
    return std::pair(row_classes[row], weights.of_row(row));
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<RowSet> sets;
  for (const std::size_t row : order) {
    const auto [row_class, weight] = key(row);
    if (sets.empty() || sets.back().row_class != row_class || sets.back().weight != weight) {
      sets.push_back({row_class, weight, {}, {}, {}});
    }
    sets.back().rows.push_back(row);
  }
  for (RowSet& set : sets) {
    for (std::size_t first = 0; first < blocks.count(); first += weights.n_rows) {
      for (const std::size_t row : set.rows) {
        set.values.insert(set.values.end(), blocks[first + row], blocks[first + row] + blocks.d);
      }
    }
    set.codes.resize(set.values.size() / blocks.d);
  }
  return sets;
}

class Ecvq {
 public:
  Ecvq(const EcvqProblem& problem, std::vector<float> codebook, std::span<std::uint16_t> codes)
      : problem_(problem), d_(problem.blocks.d), codebook_(std::move(codebook)), codes_(codes) {
    assign(problem.blocks, codebook_, codes_, problem.weights);
  }

  // Rows get the classes that suit the present codes. To be called before the first E-step.
  void choose_classes() {
    row_classes_ = best_row_classes(problem_.blocks, codes_, problem_.weights.n_rows,
                                    codebook_.size() / d_, problem_.most_classes);
    sets_ = split_rows(problem_, row_classes_);
    update_lengths();
  }

  struct Iteration {
    double cost;  // J of its E-step
    std::size_t n_pruned;
  };
  Iteration iterate(double lambda, bool prunes) {
    const double cost = assign_all(lambda);
    const std::size_t n_pruned = prunes ? prune(lambda) : 0;
    remove_unused();
    update_centroids(problem_.blocks, codes_, codebook_, problem_.weights);
    update_lengths();
    return {cost, n_pruned};
  }

  // The E-step; returns J.
  double assign_all(double lambda) {
    double cost = 0;
    for (RowSet& set : sets_) {
      const std::vector<float> biases = biases_of(set, lambda);
      cost += set.weight * assign({set.values, d_}, codebook_, set.codes,
                                  {set.rows.size(), {}, problem_.weights.columns}, biases);
      give_codes(set);
    }
    return cost;
  }

  void remove_unused() {
    const std::size_t n = codebook_.size() / d_;
    std::vector<std::uint8_t> used(n);
    for (const std::uint16_t code : codes_) used[code] = 1;
    std::vector<std::uint16_t> renumbered(n);
    std::size_t n_used = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (!used[k]) continue;
      std::copy_n(&codebook_[k * d_], d_, &codebook_[n_used * d_]);
      renumbered[k] = static_cast<std::uint16_t>(n_used++);
    }
    codebook_.resize(n_used * d_);
    for (std::uint16_t& code : codes_) code = renumbered[code];
    for (RowSet& set : sets_) {
      for (std::uint16_t& code : set.codes) code = renumbered[code];
    }
  }

  void update_lengths() {
    lengths_ = lengths_of_codes(codes_, row_classes_, codebook_.size() / d_);
  }

  std::vector<float>& codebook() { return codebook_; }

 private:
  // Copies the codes of a set of rows to their places among all codes.
  void give_codes(const RowSet& set) {
    std::size_t from = 0;
    for (std::size_t first = 0; first < codes_.size(); first += problem_.weights.n_rows) {
      for (const std::size_t row : set.rows) codes_[first + row] = set.codes[from++];
    }
  }

  std::vector<float> biases_of(const RowSet& set, double lambda) const {
    constexpr double kMost = 1e14;  // for rows without weight, whose error does not count
    const std::size_t n = codebook_.size() / d_;
    std::vector<float> biases(n);
    for (std::size_t k = 0; k < n; ++k) {
      const double bias = lambda * lengths_[set.row_class * n + k] / set.weight;
      biases[k] = static_cast<float>(std::min(kMost, bias));
    }
    return biases;
  }

  // Removes rare centroids that lower J by less than their own bits cost, at most half of them in
  // one call, because the blocks of one may take another one. Their blocks take their second best
  // centroid. Returns how many were removed.
  std::size_t prune(double lambda) {
    const std::vector<std::uint8_t> rare = rare_centroids();
    std::vector<double> gains(rare.size());
    std::vector<std::vector<std::uint16_t>> seconds;
    for (const RowSet& set : sets_) seconds.push_back(second_best(set, lambda, rare, gains));
    std::vector<std::size_t> useless;
    for (std::size_t k = 0; k < rare.size(); ++k) {
      if (rare[k] && gains[k] < lambda * bits_of_centroid()) useless.push_back(k);
    }
    std::stable_sort(useless.begin(), useless.end(),
                     [&](std::size_t a, std::size_t b) { return gains[a] < gains[b]; });
    useless.resize((useless.size() + 1) / 2);
    std::vector<std::uint8_t> goes(rare.size());
    for (const std::size_t k : useless) goes[k] = 1;
    for (std::size_t s = 0; s < sets_.size(); ++s) {
      for (std::size_t i = 0; i < seconds[s].size(); ++i) {
        std::uint16_t& code = sets_[s].codes[i];
        if (goes[code]) code = seconds[s][i];
      }
      give_codes(sets_[s]);
    }
    return useless.size();
  }

  // In the archive: its values, and its entries in the tables.
  double bits_of_centroid() const {
    const std::size_t n_classes = lengths_.size() / (codebook_.size() / d_);
    return problem_.bits_per_value * static_cast<double>(d_) +
           kBitsOfFrequency * static_cast<double>(n_classes);
  }

  // 1 for the rarest centroids, which together hold at most an eighth of the blocks; else 0.
  std::vector<std::uint8_t> rare_centroids() const {
    const std::size_t n = codebook_.size() / d_;
    std::vector<std::size_t> counts(n), order(n);
    for (const std::uint16_t code : codes_) ++counts[code];
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return counts[a] < counts[b]; });
    std::vector<std::uint8_t> rare(n);
    std::size_t n_blocks = 0;
    for (const std::size_t k : order) {
      n_blocks += counts[k];
      if (n_blocks > codes_.size() / 8) break;
      rare[k] = 1;
    }
    return rare;
  }

  // The second best centroid of each block whose centroid is rare. Adds to `gains`, for each rare
  // centroid, how much J would rise if its blocks took their second best.
  std::vector<std::uint16_t> second_best(const RowSet& set, double lambda,
                                         std::span<const std::uint8_t> rare,
                                         std::vector<double>& gains) const {
    const std::size_t n = codebook_.size() / d_;
    const std::vector<float> biases = biases_of(set, lambda);
    std::vector<float> columns(codebook_.size());  // [d][n]
    for (std::size_t i = 0; i < codebook_.size(); ++i) columns[i % d_ * n + i / d_] = codebook_[i];
    std::vector<std::uint16_t> seconds(set.codes.size());
    std::vector<float> lost(set.codes.size());
    const BlockWeights weights{set.rows.size(), {}, problem_.weights.columns};
    const auto find_seconds = [&](const IndexRange& range, std::size_t) {
      std::vector<float> costs(n);
      for (std::size_t i = range.begin; i < range.end; ++i) {
        if (!rare[set.codes[i]]) continue;
        costs = biases;
        for (std::size_t j = 0; j < d_; ++j) {
          const float x = set.values[i * d_ + j];
          const float h = weights.columns.empty() ? 1 : weights.of_columns(i, d_)[j];
          const float* column = &columns[j * n];
          for (std::size_t k = 0; k < n; ++k) costs[k] += h * (x - column[k]) * (x - column[k]);
        }
        const float own = std::exchange(costs[set.codes[i]], HUGE_VALF);
        const auto second = std::min_element(costs.begin(), costs.end());
        seconds[i] = static_cast<std::uint16_t>(second - costs.begin());
        lost[i] = *second - own;
      }
    };
    Workers(codebook_.size() * seconds.size() / 8, 1)
        .for_ranges(Division::by_length(seconds.size(), 1024), find_seconds);
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      if (rare[set.codes[i]]) gains[set.codes[i]] += double{set.weight} * lost[i];
    }
    return seconds;
  }

  const EcvqProblem& problem_;
  std::size_t d_;
  std::vector<std::uint8_t> row_classes_;
  std::vector<RowSet> sets_;
  std::vector<float> codebook_;
  std::span<std::uint16_t> codes_;
  std::vector<float> lengths_;
};

}  // namespace

double mean_square(BlockSpan blocks, const BlockWeights& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < blocks.count(); ++i) {
    const float* columns = weights.columns.empty() ? nullptr : weights.of_columns(i, blocks.d);
    double squares = 0;
    for (std::size_t j = 0; j < blocks.d; ++j) {
      squares += double{blocks[i][j]} * blocks[i][j] * (columns == nullptr ? 1 : columns[j]);
    }
    sum += squares * weights.of_row(i);
  }
  return sum / static_cast<double>(blocks.values.size());
}

std::vector<float> constrain_entropy(const EcvqProblem& problem, std::vector<float> codebook,
                                     std::span<std::uint16_t> codes,
                                     const std::function<void(std::span<float>)>& round) {
  constexpr double kFirst = 0.008;  // of lambda
  constexpr double kStep = 1.4;     // at most, from one lambda to the next
  constexpr std::size_t kIterationsPerStep = 6;
  const double unit = mean_square(problem.blocks, problem.weights);
  const double lambda = problem.lambda;
  const double first = std::min(kFirst, lambda);
  const auto n_steps =
      static_cast<std::size_t>(std::ceil(std::log(lambda / first) / std::log(kStep)));
  Ecvq ecvq(problem, std::move(codebook), codes);
  std::size_t iteration = 0;
  for (std::size_t step = 0; step <= n_steps; ++step) {
    const double share =
        n_steps == 0 ? 1 : static_cast<double>(step) / static_cast<double>(n_steps);
    const double at = unit * first * std::pow(lambda / first, share);
    ecvq.choose_classes();
    for (std::size_t i = 0; i < kIterationsPerStep; ++i) {
      const auto [cost, n_pruned] = ecvq.iterate(at, i % 2 == 1);
      problem.on_iteration({0, 0, iteration++, problem.blocks.count(), cost, n_pruned});
    }
  }
  round(ecvq.codebook());
  ecvq.assign_all(unit * lambda);
  ecvq.remove_unused();
  return ecvq.codebook();
}

}  // namespace pqw
