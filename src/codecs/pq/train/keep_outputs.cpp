// Rounds of codes with feedback and refitted codebooks.
#include "codecs/pq/train/keep_outputs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "codecs/pq/train/feedback.h"
#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/refit.h"
#include "codecs/pq/train/scale_rows.h"
#include "codecs/train/input_metric.h"
#include "pqw/core/output_error.h"

namespace pqw {
namespace {

constexpr double kDampings[] = {kDamping, 0.001, 0.1};  // to choose from
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

// The indices of rows of a sample that is large enough for the codebooks.
std::vector<std::size_t> sampled_rows(const PqWeight& weight) {
  const std::size_t n_blocks = kBlocksPerCentroid * weight.n_centroids * weight.n_groups;
  const std::size_t n_positions = std::max<std::size_t>(1, weight.positions());
  std::size_t n = std::max(kFewestRows, (n_blocks + n_positions - 1) / n_positions);
  if (n > weight.rows() / 2) n = weight.rows();
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

std::vector<BiasedRows> all_rows(const PqWeight& weight) {
  BiasedRows rows{std::vector<std::size_t>(weight.rows()), {}};
  std::iota(rows.rows.begin(), rows.rows.end(), std::size_t{0});
  return {rows};
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

double held_out_error(const Part& part, const PqWeight& weight, const InputStatistics& inputs) {
  const std::size_t rows = weight.rows(), cols = weight.cols();
  const std::vector<float> w = matrix_of(part);
  std::vector<float> decoded(w.size());
  PqCodec::decode_rows(weight, 0, {decoded.data(), rows, cols});
  return output_error({w.data(), rows, cols}, {decoded.data(), rows, cols},
                      {inputs.held_out.data(), inputs.n_held_out(), cols});
}

}  // namespace

void keep_outputs(const Blocks& blocks, const InputStatistics& inputs,
                  std::span<const float> row_importances, const LearnWeight& learn,
                  PqWeight& weight) {
  const std::vector<float> energies = column_energies(inputs, kDampings[0]);
  Part part = part_of(blocks, weight, row_importances, sampled_rows(weight));
  const PqImportance diagonal{part.importances, energies};
  learn(part.blocks, diagonal, part.weight);
  const std::vector<float> row_weights = pqw::row_weights({part.importances, {}}, part.weight);
  const auto refit = [&](double damping, PqWeight& refitted) {
    refit_codebooks(part.blocks, row_weights, inputs, damping, kSteps, refitted);
    round_to(refitted.codebook_dtype, refitted.codebooks);
  };
  const std::size_t n_dampings = inputs.n_held_out() > 0 ? std::size(kDampings) : 1;
  double least = HUGE_VAL, damping = kDampings[0];
  PqWeight best;
  for (std::size_t i = 0; i < n_dampings; ++i) {
    PqWeight tried = part.weight;
    Feedback(inputs, weight.block_size, kDampings[i]).assign(part.blocks, all_rows(tried), tried);
    refit(kDampings[i], tried);
    const double error = n_dampings > 1 ? held_out_error(part, tried, inputs) : 0;
    if (i > 0 && !(error < least)) continue;
    least = error;
    damping = kDampings[i];
    best = std::move(tried);
  }
  part.weight = std::move(best);
  const Feedback feedback(inputs, weight.block_size, damping);
  for (std::size_t round = 1; round < kRounds; ++round) {
    feedback.assign(part.blocks, all_rows(part.weight), part.weight);
    refit(damping, part.weight);
  }
  weight.codebooks = part.weight.codebooks;
  weight.n_centroids = part.weight.n_centroids;
  if (part.weight.rows() == weight.rows()) {
    weight.codes = part.weight.codes;
    return;
  }
  weight.codes.resize(blocks.count());
  feedback.assign(blocks, all_rows(weight), weight);
}

}  // namespace pqw
