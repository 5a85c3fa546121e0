// The gain of product-quantized weights: factors on the codebooks and the row scales.
#include "codecs/pq/train/gain.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codecs/float_range.h"
#include "codecs/pq/train/scale_rows.h"
#include "codecs/pq/value/row_scales.h"
#include "core/parallel.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

// The columns of one block, and the centroid to compare it with.
struct Columns {
  const float* original;
  const float* centroid;
  const float* importance;  // null: all 1
  std::size_t n;            // without padding
};

GainSums sums_of(const Columns& columns) {
  GainSums sums;
  for (std::size_t j = 0; j < columns.n; ++j) {
    const double w = columns.original[j];
    const double v = columns.centroid[j];
    const double h = columns.importance == nullptr ? 1 : columns.importance[j];
    sums.original += h * w * w;
    sums.product += h * w * v;
    sums.reconstruction += h * v * v;
  }
  return sums;
}

std::vector<const float*> codebooks_by_position(const PqWeight& weight) {
  std::vector<const float*> codebooks;
  for (const std::size_t group : group_of_positions(weight)) {
    codebooks.push_back(&weight.codebooks[group * weight.n_centroids * weight.block_size]);
  }
  return codebooks;
}

// Multiplies the codebooks and writes the gain into the weight and its options.
void scale(const AppliedGain& gain, double by, PqWeight& weight) {
  for (float& value : weight.codebooks) value = static_cast<float>(by * value);
  round_to(weight.codebook_dtype, weight.codebooks);
  weight.options.resize(weight.options.size() - gain_text(weight.gain).size());
  weight.gain = {std::round(gain.factor * 1e4) / 1e4, gain.limit};  // as the text has it
  weight.options += gain_text(weight.gain);
}

// Applies a gain to each row scale, and to the sums of the row.
void scale_each_row(Gain asked, std::span<GainSums> rows, PqWeight& weight) {
  for (std::size_t r = 0; r < weight.row_scales.size(); ++r) {
    float& row_scale = weight.row_scales[r];
    if (row_scale == 0) continue;
    const double most = kLargestRowScale / double{row_scale};
    const double gained = choose_gain(rows[r], asked, most).factor * row_scale;
    const float rounded = nearest_row_scale(gained, weight.row_scale_type);
    rows[r].scale(rounded / double{row_scale});
    row_scale = rounded;
  }
}

// The largest factor that keeps the codebooks in the range of their type, and the decoded weights
// in the range of float. The weight's own type sets no limit: decoding to a narrower type
// saturates, so a few weights near its limit do not make all others smaller.
double most_gain(const PqWeight& weight) {
  const double largest = largest_magnitude(weight.codebooks);
  const double largest_scale = weight.row_scales.empty() ? 1 : largest_magnitude(weight.row_scales);
  if (largest == 0 || largest_scale == 0) return kMostGain;
  const auto n_additive = static_cast<double>(weight.n_additive);
  return std::min(largest_of(weight.codebook_dtype) / largest,
                  largest_of(DType::kF32) / (n_additive * largest * largest_scale));
}

}  // namespace

std::vector<GainSums> gain_sums_of_rows(const Blocks& blocks, const PqWeight& weight,
                                        const PqImportance& importance) {
  constexpr std::size_t kRowsPerRange = 64;
  const std::size_t d = weight.block_size, n_rows = weight.rows(), n_cols = weight.cols();
  const std::vector<const float*> codebooks = codebooks_by_position(weight);
  const std::vector<float> weights = row_weights(importance, weight);
  const std::size_t book_floats = weight.n_groups * weight.n_centroids * d;
  std::vector<GainSums> rows(n_rows);
  const auto add_rows = [&](const IndexRange& range, std::size_t) {
    std::vector<float> decoded(d);
    for (std::size_t p = 0; p < codebooks.size(); ++p) {
      const std::size_t n = std::min(d, n_cols - p * d);
      const float* columns =
          importance.columns.empty() ? nullptr : importance.columns.data() + p * d;
      for (std::size_t r = range.begin; r < range.end; ++r) {
        const std::size_t i = p * n_rows + r;
        std::copy_n(codebooks[p] + weight.codes[i] * d, d, decoded.data());
        for (std::size_t book = 1; book < weight.n_additive; ++book) {
          const std::uint16_t code = weight.codes[book * blocks.count() + i];
          const float* centroid = codebooks[p] + book * book_floats + code * d;
          for (std::size_t j = 0; j < d; ++j) decoded[j] += centroid[j];
        }
        rows[r].add(sums_of({&blocks.values[i * d], decoded.data(), columns, n}),
                    weights.empty() ? 1 : weights[r]);
      }
    }
  };
  Workers(blocks.count() * d, 4).for_ranges(Division::by_length(n_rows, kRowsPerRange), add_rows);
  return rows;
}

void apply_gain(const Blocks& blocks, const PqImportance& importance, const PqOptions& options,
                PqWeight& weight) {
  std::vector<GainSums> rows = gain_sums_of_rows(blocks, weight, importance);
  const double product = sum_of(rows).product;
  if (options.gain_per == GainPer::kRow) scale_each_row(options.gain, rows, weight);
  const GainSums sums = sum_of(rows);
  AppliedGain choice = choose_gain(sums, options.gain, most_gain(weight));
  const double by = choice.factor;
  if (product > 0) choice.factor = std::min(kMostGain, by * (sums.product / product));
  scale(choice, by, weight);
}

void lower_gain(double by, PqWeight& weight) {
  scale({weight.gain.factor * by, GainLimit::kLoss}, by, weight);
}

void round_to(DType dtype, std::span<float> values) {
  const auto largest = static_cast<float>(largest_of(dtype));
  for (float& value : values) {
    value = std::clamp(value, -largest, largest);
    if (dtype == DType::kF16) value = f16_to_float(float_to_f16(value));
  }
}

}  // namespace pqw
