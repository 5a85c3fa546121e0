// The gain of product-quantized weights: one factor for all codebooks of a tensor.
#include "codecs/pq/train/gain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr std::size_t kChunk = 1024;  // blocks per partial sum

double factor_of(const GainSums& sums, Gain gain) {
  if (gain == Gain::kUnbiased) return sums.original / sums.product;
  if (gain == Gain::kEnergy) return std::sqrt(sums.original / sums.reconstruction);
  return sums.product / sums.reconstruction;
}

double largest_of(DType dtype) {
  if (dtype == DType::kF16) return 65504;
  if (dtype == DType::kBF16) return 0x1.fep127;
  return std::numeric_limits<float>::max();  // weights of F64 decode to float
}

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

void add(const GainSums& part, double weight, GainSums& sums) {
  sums.original += weight * part.original;
  sums.product += weight * part.product;
  sums.reconstruction += weight * part.reconstruction;
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

}  // namespace

GainSums gain_sums(const Blocks& blocks, const PqWeight& weight, const PqImportance& importance) {
  const std::size_t d = weight.block_size, n_rows = weight.rows(), n_cols = weight.cols();
  const std::vector<const float*> codebooks = codebooks_by_position(weight);
  return Workers(blocks.count() * d, 4)
      .reduce_in_order(
          Division::by_length(blocks.count(), kChunk), GainSums(),
          [&](const IndexRange& range, std::size_t, GainSums& partial) {
            for (std::size_t i = range.begin; i < range.end; ++i) {
              const std::size_t p = i / n_rows;
              const float* columns =
                  importance.columns.empty() ? nullptr : importance.columns.data() + p * d;
              const float row = importance.rows.empty() ? 1 : importance.rows[i % n_rows];
              add(sums_of({&blocks.values[i * d], codebooks[p] + weight.codes[i] * d, columns,
                           std::min(d, n_cols - p * d)}),
                  row, partial);
            }
          },
          [](GainSums& sums, const GainSums& partial) { add(partial, 1, sums); });
}

double error_of(const GainSums& sums, double factor) {
  return 1 + factor * (factor * sums.reconstruction - 2 * sums.product) / sums.original;
}

AppliedGain choose_gain(const GainSums& sums, Gain asked, double most) {
  most = std::min(most, kMostGain);
  AppliedGain choice;
  if (!(sums.product > 0)) return {1, sums.original > 0 ? GainLimit::kLoss : GainLimit::kNone};
  for (const Gain gain : {Gain::kUnbiased, Gain::kEnergy, Gain::kLeastSquares}) {
    if (gain < asked) continue;
    choice.factor = factor_of(sums, gain);
    if (error_of(sums, choice.factor) < kMostError) break;
    if (gain != Gain::kLeastSquares) choice.limit = GainLimit::kLoss;
  }
  if (choice.factor <= most) return choice;
  return {most, GainLimit::kRange};
}

void apply_gain(const Blocks& blocks, const PqImportance& importance, Gain asked,
                PqWeight& weight) {
  double largest = 0;
  for (const float value : weight.codebooks) largest = std::max<double>(largest, std::abs(value));
  const double limit = std::min(largest_of(weight.codebook_dtype), largest_of(weight.dtype));
  const AppliedGain choice = choose_gain(gain_sums(blocks, weight, importance), asked,
                                         largest > 0 ? limit / largest : kMostGain);
  scale(choice, choice.factor, weight);
}

void lower_gain(double by, PqWeight& weight) {
  scale({weight.gain.factor * by, GainLimit::kLoss}, by, weight);
}

std::string gain_text(const AppliedGain& gain) {
  constexpr const char* kLimits[] = {"none", "loss", "type"};  // in the order of GainLimit
  return fmt::format(",gain_factor={:.4f},gain_limit={}", gain.factor,
                     kLimits[static_cast<std::size_t>(gain.limit)]);
}

std::string remark_on_gain(const AppliedGain& gain) {
  if (gain.limit == GainLimit::kNone) return "";
  return fmt::format("gain limited to {:.4f}: a larger one would {}", gain.factor,
                     gain.limit == GainLimit::kLoss ? "give a relative error of 1 or more"
                                                    : "exceed the range of the type");
}

void round_to(DType dtype, std::span<float> values) {
  const auto largest = static_cast<float>(largest_of(dtype));
  for (float& value : values) {
    value = std::clamp(value, -largest, largest);
    if (dtype == DType::kF16) value = f16_to_float(float_to_f16(value));
  }
}

}  // namespace pqw
