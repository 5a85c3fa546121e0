// Decides whether an encoding is worth storing.
#include "compress/worth.h"

#include <fmt/format.h>

#include "core/permute.h"
#include "model/archive_tensors.h"
#include "pqw/core/convert.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw {
namespace {

// What the index of an archive takes for one compressed tensor beyond a plain one, about.
constexpr std::size_t kRecordOverheadBytes = 64;

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
  std::vector<float> w(element_count(info.shape)), w_hat(w.size());
  to_float(to_canonical(info, {original.begin(), original.end()}), info.dtype, w);
  const std::size_t rows = w.size() / inputs.cols;
  decode_rows(weight, 0, MutableMatrix(w_hat.data(), rows, inputs.cols));
  return measure_outputs({w.data(), rows, inputs.cols}, {w_hat.data(), rows, inputs.cols},
                         {inputs.held_out.data(), inputs.n_held_out(), inputs.cols});
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
