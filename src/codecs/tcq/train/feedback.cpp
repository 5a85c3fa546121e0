// Feedback along the trellis, in panels of columns whose updates are products of matrices.
#include "codecs/tcq/train/feedback.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "codecs/tcq/train/quantize.h"
#include "codecs/tcq/train/survivors.h"
#include "codecs/train/blas.h"
#include "codecs/train/input_metric.h"
#include "codecs/train/linear_algebra.h"
#include "core/parallel.h"

namespace pqw::tcq {
namespace {

constexpr std::size_t kChainsPerChunk = 32;

// Columns begin .. end-1, all of one part.
struct Panel {
  std::size_t part;
  std::size_t begin;
  std::size_t end;
  std::size_t size() const { return end - begin; }
};

}  // namespace

// With the columns in reverse order, H is L Lᵀ; L in reverse is U.
Feedback::Feedback(const InputStatistics& inputs, MatrixShape weight, double damping)
    : n_groups_(inputs.n_groups(weight.cols)),
      n_parts_((weight.cols + inputs.gram_block - 1) / inputs.gram_block) {
  double sum = 0;
  for (std::size_t index = 0; index < n_groups_ * n_parts_; ++index) {
    const std::size_t first = index % n_parts_ * inputs.gram_block;
    const std::size_t n = std::min(inputs.gram_block, weight.cols - first);
    std::vector<std::size_t> columns(n);
    for (std::size_t i = 0; i < n; ++i) columns[i] = first + n - 1 - i;
    const std::vector<float> lower =
        cholesky_factor(inputs, weight.cols, index / n_parts_, columns, damping);
    Part part{first, n, std::vector<float>(n * n), std::vector<float>(n)};
    for (std::size_t j = 0; j < n; ++j) {
      const float diagonal = lower[(n - 1 - j) * n + n - 1 - j];
      part.energies[j] = diagonal * diagonal;
      sum += part.energies[j];
      for (std::size_t i = 0; i < j; ++i) {
        part.coefficients[i * n + j] = lower[(n - 1 - i) * n + n - 1 - j] / diagonal;
      }
    }
    parts_.push_back(std::move(part));
  }
  const auto scale = static_cast<float>(static_cast<double>(inputs.cols) / sum);
  for (Part& part : parts_) {
    for (float& energy : part.energies) energy *= scale;
  }
}

// Some chains; the first group of rows of each, then the second, ...
class Feedback::ChunkOfRows {
 public:
  ChunkOfRows(const Feedback& feedback, ConstMatrix w, const Model* model, const Rates* rates,
              TcqWeight& weight)
      : feedback_(feedback), w_(w), model_(model), rates_(rates), weight_(weight) {
    for (std::size_t part = 0; part < feedback.n_parts_; ++part) {
      const auto [first, n] = std::pair(feedback.parts_[part].first, feedback.parts_[part].n);
      const Division division = Division::by_count(n, (n + kPanel - 1) / kPanel);
      for (std::size_t i = 0; i < division.n_ranges; ++i) {
        panels_.push_back({part, first + division[i].begin, first + division[i].end});
      }
    }
  }

  void run(const IndexRange& chains) {
    const std::size_t n_groups = groups_per_chain(w_.cols());
    std::vector<std::array<unsigned, kLanes>> states(chains.end - chains.begin);
    survivors_.resize(states.size());
    for (std::size_t group = 0; group < n_groups; ++group) {
      for (std::size_t i = 0; i < states.size(); ++i) survivors_[i].begin(states[i]);
      first_rows_.clear();
      for (std::size_t chain = chains.begin; chain < chains.end; ++chain) {
        first_rows_.push_back((chain * n_groups + group) * kLanes);
      }
      run_groups();
      for (std::size_t i = 0; i < states.size(); ++i) states[i] = survivors_[i].best();
    }
  }

 private:
  // One group of kLanes rows of each chain.
  void run_groups() {
    const std::size_t cols = w_.cols(), m = first_rows_.size() * kLanes;
    weights_.assign(m * cols, 0.0f);
    errors_.assign(m * cols, 0.0f);
    if (rates_ != nullptr) classes_.assign(m * cols, 0);
    for_each_row([&](std::size_t r, std::size_t i) {
      row_in_steps(w_.row(r), r, weight_, 1, &weights_[i * cols]);
      if (rates_ != nullptr) classes_of_row(*model_, r, cols, 1, &classes_[i * cols]);
    });
    for (std::size_t p = 0; p < panels_.size(); ++p) run_panel(p);
    if (!panels_.empty()) decide(panels_.back());
    for_each_row([&](std::size_t r, std::size_t i) {
      for (std::size_t c = 0; c < cols; ++c) {
        const float value = std::nearbyint(weights_[i * cols + c] - errors_[i * cols + c]);
        weight_.values[r * cols + c] = static_cast<std::int16_t>(value);
      }
    });
  }

  // f(row, index among the rows of the chunk)
  template <class F>
  void for_each_row(const F& f) const {
    for (std::size_t i = 0; i < first_rows_.size() * kLanes; ++i) {
      const std::size_t r = first_rows_[i / kLanes] + i % kLanes;
      if (r < w_.rows()) f(r, i);
    }
  }

  // The part of the group of row i of the chunk; for rows beyond the last one, some part.
  const Part& part_of(std::size_t part, std::size_t i) const {
    const std::size_t r = std::min(first_rows_[i / kLanes] + i % kLanes, w_.rows() - 1);
    const std::size_t group = r / (w_.rows() / feedback_.n_groups_);
    return feedback_.parts_[group * feedback_.n_parts_ + part];
  }

  // Extends the paths by the columns of panel p, then decides those of the panel before it.
  void run_panel(std::size_t p) {
    const Panel& panel = panels_[p];
    const Panel before = p > 0 ? panels_[p - 1] : Panel{panel.part, panel.begin, panel.begin};
    const std::size_t cols = w_.cols(), width = panel.size();
    feed_back(panel, before);
    for (std::size_t c = panel.begin; c < panel.end; ++c) {
      for (std::size_t g = 0; g < first_rows_.size(); ++g) {
        if (g == 0 || feedback_.n_groups_ > 1) set_coefficients(panel, before, c, g);
        Lanes weights, targets;
        std::array<std::uint8_t, kLanes> classes = {};
        for (std::size_t l = 0; l < kLanes; ++l) {
          const std::size_t i = g * kLanes + l;
          weights[l] = weights_[i * cols + c];
          targets[l] = weights[l] + fed_back_[i * width + c - panel.begin];
          if (rates_ != nullptr) classes[l] = classes_[i * cols + c];
        }
        survivors_[g].extend(
            {weights.data(), targets.data(), coefficients_, energies_, classes.data(), rates_});
      }
    }
    decide(before);
  }

  // Of the columns of the part before the panel `before`, which are decided: one product for each
  // run of rows of one group.
  void feed_back(const Panel& panel, const Panel& before) {
    const std::size_t cols = w_.cols(), m = first_rows_.size() * kLanes, width = panel.size();
    fed_back_.assign(m * width, 0.0f);
    if (before.part != panel.part) return;
    for (std::size_t i = 0, end = 0; i < m; i = end) {
      const Part& part = part_of(panel.part, i);
      while (end < m && &part_of(panel.part, end) == &part) ++end;
      linear_algebra::add_product(
          end - i, width, before.begin - part.first, &errors_[i * cols + part.first], cols,
          &part.coefficients[panel.begin - part.first], part.n, &fed_back_[i * width], width);
    }
  }

  // For column c and the rows g * kLanes .. of the chunk.
  void set_coefficients(const Panel& panel, const Panel& before, std::size_t c, std::size_t g) {
    coefficients_.resize(c - before.begin);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const Part& part = part_of(panel.part, g * kLanes + l);
      for (std::size_t i = before.begin; i < c; ++i) {
        const bool counts = i >= part.first;
        coefficients_[i - before.begin][l] =
            counts ? part.coefficients[(i - part.first) * part.n + c - part.first] : 0.0f;
      }
      energies_[l] = part.energies[c - part.first];
    }
  }

  void decide(const Panel& panel) {
    std::array<float, kPanel * kLanes> errors;
    for (std::size_t g = 0; g < first_rows_.size(); ++g) {
      survivors_[g].decide(panel.size(), errors.data());
      for (std::size_t i = 0; i < panel.size() * kLanes; ++i) {
        errors_[(g * kLanes + i % kLanes) * w_.cols() + panel.begin + i / kLanes] = errors[i];
      }
    }
  }

  const Feedback& feedback_;
  ConstMatrix w_;
  const Model* model_;
  const Rates* rates_;
  TcqWeight& weight_;
  std::vector<Panel> panels_;
  std::vector<std::size_t> first_rows_;  // of the present group of each chain
  std::vector<Survivors> survivors_;     // of each chain
  std::vector<float> weights_, errors_;  // [rows of the chunk][cols], in steps
  std::vector<std::uint8_t> classes_;    // [rows of the chunk][cols]
  std::vector<float> fed_back_;          // [rows of the chunk][panel]
  std::vector<Lanes> coefficients_;      // of each undecided column, for kLanes rows
  Lanes energies_;                       // of a column, for kLanes rows
};

void Feedback::quantize(ConstMatrix w, const Model* model, double lambda, TcqWeight& weight) const {
  weight.values.resize(w.rows() * w.cols());
  Rates rates;
  const bool rated = model != nullptr && lambda > 0;
  if (rated) rates = rates_of(model->counts, lambda);
  const std::size_t rows_per_chain = kLanes * groups_per_chain(w.cols());
  linear_algebra::blas();
  const Workers workers(w.rows() * w.cols(), 1000);
  std::vector<ChunkOfRows> chunks(workers.count(),
                                  {*this, w, model, rated ? &rates : nullptr, weight});
  workers.for_ranges(
      Division::by_length((w.rows() + rows_per_chain - 1) / rows_per_chain, kChainsPerChunk),
      [&](const IndexRange& range, std::size_t worker) { chunks[worker].run(range); });
}

}  // namespace pqw::tcq
