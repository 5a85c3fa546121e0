// Rounds of codes with feedback and refitted codebooks.
#include "codecs/pq/train/keep_outputs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "codecs/pq/train/class_lengths.h"
#include "codecs/pq/train/ecvq.h"
#include "codecs/pq/train/feedback.h"
#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/refit.h"
#include "codecs/pq/train/scale_rows.h"
#include "codecs/train/input_metric.h"
#include "pqw/core/output_error.h"

namespace pqw {
namespace {

constexpr std::size_t kRounds = 2;
constexpr std::size_t kSteps = 15;                // of a refit
constexpr std::size_t kBlocksPerCentroid = 1024;  // of the sample
constexpr std::size_t kFewestRows = 256;

// Some rows of a weight, as a weight of their own.
struct Part {
  Blocks blocks;
  PqWeight weight;
  std::vector<float> importances;  // of rows; empty: all 1
};

// The indices of rows of a sample that is large enough for the codebooks; all rows with lambda, as
// the lengths of all codes count, and if groups of rows have inputs of their own.
std::vector<std::size_t> sampled_rows(const PqWeight& weight, const InputStatistics& inputs,
                                      double lambda) {
  const std::size_t n_blocks = kBlocksPerCentroid * weight.n_centroids * weight.n_groups;
  const std::size_t n_positions = std::max<std::size_t>(1, weight.positions());
  std::size_t n = std::max(kFewestRows, (n_blocks + n_positions - 1) / n_positions);
  if (n > weight.rows() / 2 || lambda > 0 || inputs.n_groups(weight.cols()) > 1) n = weight.rows();
  std::vector<std::size_t> rows(n);
  for (std::size_t i = 0; i < n; ++i) rows[i] = i * weight.rows() / n;
  return rows;
}

Part part_of(const Blocks& blocks, const PqWeight& weight, std::span<const float> row_importances,
             std::span<const std::size_t> rows) {
  const std::size_t n_rows = weight.rows(), d = weight.block_size;
  Part part{{{rows.size(), weight.cols()}, blocks.dtype, d, {}}, weight, {}};
  for (std::size_t first = 0; first < blocks.count(); first += n_rows) {
    for (const std::size_t row : rows) {
      const float* block = &blocks.values[(first + row) * d];
      part.blocks.values.insert(part.blocks.values.end(), block, block + d);
    }
  }
  part.weight.shape = part.blocks.shape;
  part.weight.row_scales.clear();
  for (const std::size_t row : rows) {
    if (!weight.row_scales.empty()) part.weight.row_scales.push_back(weight.row_scales[row]);
    if (!row_importances.empty()) part.importances.push_back(row_importances[row]);
  }
  return part;
}

// All rows; with the cost of a bit, in sets by the lengths of their codes and their weight. The
// lengths follow from the codes of the weight.
std::vector<BiasedRows> sets_of_rows(const Blocks& blocks, std::span<const float> row_weights,
                                     double cost_of_bit, const PqWeight& weight) {
  const std::size_t n_rows = weight.rows(), n = weight.n_centroids;
  std::vector<std::size_t> rows(n_rows);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  if (cost_of_bit == 0) return {{std::move(rows), {}}};
  constexpr double kMostBias = 1e14;  // of rows without weight, whose error does not count
  const std::vector<std::uint8_t> classes = best_row_classes(
      {blocks.values, blocks.block_size}, weight.codes, n_rows, n, kMostRowClasses);
  const std::vector<float> lengths = lengths_of_codes(weight.codes, classes, n);
  std::map<std::pair<std::uint8_t, float>, BiasedRows> sets;
  for (const std::size_t row : rows) {
    const float row_weight = row_weights.empty() ? 1 : row_weights[row];
    BiasedRows& set = sets[{classes[row], row_weight}];
    set.rows.push_back(row);
    for (std::size_t k = set.biases.size(); k < n; ++k) {
      const double bias = cost_of_bit * lengths[classes[row] * n + k] / row_weight;
      set.biases.push_back(static_cast<float>(std::min(kMostBias, bias)));
    }
  }
  std::vector<BiasedRows> result;
  for (auto& [key, set] : sets) result.push_back(std::move(set));
  return result;
}

// Of a weight with one codebook.
void remove_unused_centroids(PqWeight& weight) {
  std::vector<std::uint16_t> renumbered(weight.n_centroids);
  std::vector<std::uint8_t> used(weight.n_centroids);
  for (const std::uint16_t code : weight.codes) used[code] = 1;
  std::size_t n = 0;
  for (std::size_t k = 0; k < weight.n_centroids; ++k) {
    if (!used[k]) continue;
    std::copy_n(&weight.codebooks[k * weight.block_size], weight.block_size,
                &weight.codebooks[n * weight.block_size]);
    renumbered[k] = static_cast<std::uint16_t>(n++);
  }
  weight.n_centroids = n;
  weight.codebooks.resize(n * weight.block_size);
  for (std::uint16_t& code : weight.codes) code = renumbered[code];
}

// The matrix that these blocks were cut from.
std::vector<float> matrix_of(const Part& part) {
  const std::size_t n_rows = part.weight.rows(), cols = part.weight.cols(),
                    d = part.blocks.block_size;
  std::vector<float> values(n_rows * cols);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t r = i / cols, c = i % cols;
    const float scale = part.weight.row_scales.empty() ? 1 : part.weight.row_scales[r];
    values[i] = scale * part.blocks.values[(c / d * n_rows + r) * d + c % d];
  }
  return values;
}

double mean_square_of(const Part& part, const std::vector<float>& row_weights,
                      const PqImportance& importance) {
  std::vector<float> columns(importance.columns.begin(), importance.columns.end());
  columns.resize(part.weight.positions() * part.blocks.block_size);
  return mean_square({part.blocks.values, part.blocks.block_size},
                     {part.weight.rows(), row_weights, columns});
}

double held_out_error(const Part& part, const PqWeight& weight, const InputStatistics& inputs) {
  const std::size_t rows = weight.rows(), cols = weight.cols();
  const std::vector<float> w = matrix_of(part);
  std::vector<float> decoded(w.size());
  PqCodec::decode_rows(weight, 0, {decoded.data(), rows, cols});
  return output_error({w.data(), rows, cols}, {decoded.data(), rows, cols},
                      {inputs.held_out.data(), inputs.n_held_out(), inputs.cols});
}

}  // namespace

void keep_outputs(const Blocks& blocks, const InputStatistics& inputs,
                  const PqImportance& importance, double lambda, const LearnWeight& learn,
                  PqWeight& weight) {
  Part part = part_of(blocks, weight, importance.rows, sampled_rows(weight, inputs, lambda));
  const std::vector<float> learned_rows =
      row_importances(inputs, part.weight.matrix(), part.importances);
  learn(part.blocks, {learned_rows, importance.columns}, part.weight);
  const std::vector<float> row_weights = pqw::row_weights({part.importances, {}}, part.weight);
  const double cost_of_bit =
      lambda == 0 ? 0
                  : lambda * mean_square_of(part, pqw::row_weights({learned_rows, {}}, part.weight),
                                            importance);
  const auto run_round = [&](const Feedback& feedback, double damping, PqWeight& changed) {
    feedback.assign(part.blocks, sets_of_rows(part.blocks, row_weights, cost_of_bit, changed),
                    changed);
    refit_codebooks(part.blocks, row_weights, inputs, damping, kSteps, changed);
    round_to(changed.codebook_dtype, changed.codebooks);
  };
  const bool chooses = inputs.n_held_out() > 0 && lambda == 0;
  double least = HUGE_VAL, damping = kDampings[0];
  PqWeight best;
  for (const double candidate : std::span(kDampings).first(chooses ? std::size(kDampings) : 1)) {
    PqWeight tried = part.weight;
    run_round(Feedback(inputs, weight.matrix(), weight.block_size, candidate), candidate, tried);
    const double error = chooses ? held_out_error(part, tried, inputs) : 0;
    if (!best.codes.empty() && !(error < least)) continue;
    least = error;
    damping = candidate;
    best = std::move(tried);
  }
  part.weight = std::move(best);
  const Feedback feedback(inputs, weight.matrix(), weight.block_size, damping);
  for (std::size_t round = 1; round < kRounds; ++round) run_round(feedback, damping, part.weight);
  weight.codebooks = part.weight.codebooks;
  weight.n_centroids = part.weight.n_centroids;
  if (part.weight.rows() < weight.rows()) {
    weight.codes.resize(blocks.count());
    feedback.assign(blocks, sets_of_rows(blocks, {}, 0, weight), weight);
    return;
  }
  weight.codes = part.weight.codes;
  if (lambda > 0) remove_unused_centroids(weight);
}

}  // namespace pqw
