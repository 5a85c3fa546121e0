// Decides whether an encoding is worth storing.
#include "compress/worth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "codecs/train/input_metric.h"
#include "core/permute.h"
#include "model/archive_tensors.h"
#include "pqw/core/convert.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw {
namespace {

// What the index of an archive takes for one compressed tensor beyond a plain one, about.
constexpr std::size_t kRecordOverheadBytes = 64;

// Layout of both: [shape.rows][shape.cols].
struct Matrices {
  MatrixShape shape;
  std::vector<float> w, w_hat;
};

Matrices matrices_of(std::span<const std::byte> original, const TensorInfo& info,
                     const Weight& weight) {
  Matrices both{
      .shape = matrix_shape(canonical_shape(info.shape, info.layout.axes)), .w = {}, .w_hat = {}};
  both.w.resize(element_count(info.shape));
  both.w_hat.resize(both.w.size());
  to_float(to_canonical(info, {original.begin(), original.end()}), info.dtype, both.w);
  decode_rows(weight, 0, MutableMatrix(both.w_hat.data(), both.shape.rows, both.shape.cols));
  return both;
}

// Proportional to the mean of ‖W x‖² over the inputs of the statistics. Layout of w:
// [shape.rows][shape.cols].
double energy_of_outputs(std::span<const float> w, MatrixShape shape,
                         const InputStatistics& inputs) {
  double sum = 0;
  if (inputs.gram_block == 0) {
    const std::size_t group_size = w.size() / inputs.n_groups(shape.cols);
    for (std::size_t i = 0; i < w.size(); ++i) {
      const std::size_t column = i / group_size * shape.cols + i % shape.cols;
      sum += double{w[i]} * w[i] * inputs.second_moments[column];
    }
    return sum;
  }
  const std::vector<float> product = times_metric(inputs, shape, 0, w, shape.cols);
  for (std::size_t i = 0; i < w.size(); ++i) sum += double{w[i]} * product[i];
  return sum;
}

}  // namespace

bool shrinks(std::uint64_t bytes, const TensorInfo& info, std::size_t n_tensors) {
  return bytes + n_tensors * kRecordOverheadBytes < n_tensors * byte_count(info);
}

Distortion measure_stored(std::span<const std::byte> original, const TensorInfo& info,
                          const Weight& weight) {
  return measure(info.dtype, original, info.dtype, decoded_bytes(weight, info));
}

OutputError measure_outputs_of(std::span<const std::byte> original, const TensorInfo& info,
                               const Weight& weight, const InputStatistics& inputs) {
  const Matrices both = matrices_of(original, info, weight);
  const auto [rows, cols] = both.shape;
  return measure_outputs({both.w.data(), rows, cols}, {both.w_hat.data(), rows, cols},
                         {inputs.held_out.data(), inputs.n_held_out(), inputs.cols});
}

bool uses_statistics(const CodecOptions& options, const InputStatistics& inputs) {
  if (const auto* pq = std::get_if<PqOptions>(&options)) return pq->n_additive == 1;
  return std::holds_alternative<TcqOptions>(options) && inputs.gram_block > 0;
}

OutputError judge_outputs(std::span<const std::byte> original, const TensorInfo& info,
                          const Weight& weight, const InputStatistics& inputs) {
  if (inputs.n_held_out() > 0) return measure_outputs_of(original, info, weight, inputs);
  Matrices both = matrices_of(original, info, weight);
  for (std::size_t i = 0; i < both.w.size(); ++i) both.w_hat[i] = both.w[i] - both.w_hat[i];
  return {energy_of_outputs(both.w_hat, both.shape, inputs),
          energy_of_outputs(both.w, both.shape, inputs)};
}

bool statistics_pay(const JudgedOutputs& with, const JudgedOutputs& without, std::size_t n_weights,
                    std::size_t n_held_out) {
  constexpr std::size_t kFewHeldOut = 16;
  constexpr double kMargin = 0.75;
  const double more_bits = 8 *
                           (static_cast<double>(with.bytes) - static_cast<double>(without.bytes)) /
                           static_cast<double>(n_weights);
  const double share = std::exp2(-2 * std::max(0.0, more_bits));
  const double margin = n_held_out < kFewHeldOut ? kMargin : 1;
  return with.outputs.squared_error < margin * share * without.outputs.squared_error;
}

// Rounding may leave a weight that is lost just below 1.
constexpr double kLost = 0.9999;

bool is_lost(const Distortion& distortion) { return !(distortion.relative_error() < kLost); }

std::string fault_of(const Distortion& distortion, const CodecOptions& options) {
  if (!is_lost(distortion) || is_placeholder(options)) return "";
  return fmt::format("{}: relative error {:.3g}", codec_name(options), distortion.relative_error());
}

std::string fault_of(const OutputError& outputs, const CodecOptions& options) {
  if (outputs.relative() < kLost) return "";
  return fmt::format("{}: output error {:.3g}", codec_name(options), outputs.relative());
}

}  // namespace pqw
