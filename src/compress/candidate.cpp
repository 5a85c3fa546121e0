// Whether a tensor can be compressed and whether that is worth it.
#include "compress/candidate.h"

#include <fmt/format.h>

#include "model/archive_tensors.h"
#include "pqw/codecs/foresight.h"
#include "pqw/core/error.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw {
namespace {

// What the tables of an archive take for one compressed tensor, about.
constexpr std::size_t kRecordOverheadBytes = 512;

}  // namespace

bool shrinks(const Weight& weight, const TensorInfo& info, std::size_t n_tensors) {
  const std::size_t bytes = (size_in_bits(weight) + 7) / 8;
  return bytes + n_tensors * kRecordOverheadBytes < n_tensors * byte_count(info);
}

Candidate read_candidate(const WeightReader& reader, std::size_t index, const PlanEntry& entry) {
  const std::vector<std::byte> bytes = reader.read(index);  // freed before the learning starts
  try {
    return {read_floats(entry.info, bytes), ""};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnsupported) return {std::nullopt, kVanishes};
    if (error.code() != ErrorCode::kNonFinite || !entry.plain_if_not_finite) throw;
    return {std::nullopt, kNotFinite};
  }
}

Distortion measure_stored(const std::vector<std::byte>& original, const TensorInfo& info,
                          const Weight& weight) {
  std::vector<std::byte> decoded(byte_count(info));
  decode_rows_to(weight, info.dtype, 0, info.shape[0], decoded);
  return measure(info.dtype, original, info.dtype, decoded);
}

std::optional<Weight> preview(const WeightReader& reader, std::size_t index, FloatTensor tensor,
                              const CodecOptions& options, std::vector<std::string>& faults) {
  const TensorInfo info = tensor.info;
  const auto accepts = [&](const Weight& weight) { return shrinks(weight, info); };
  if (foresight(options) == Foresight::kOutcome && !near_limits(tensor)) {
    std::optional<Weight> plan = plan_weight(std::move(tensor), options);
    if (!accepts(*plan)) plan.reset();
    return plan;
  }
  std::optional<Weight> weight = encode_if(accepts, std::move(tensor), options);
  if (!weight) return std::nullopt;
  const std::string fault = fault_of(measure_stored(reader.read(index), info, *weight), options);
  if (fault.empty()) return weight;
  faults.push_back(fault);
  return std::nullopt;
}

std::string fault_of(const Distortion& distortion, const CodecOptions& options) {
  // Rounding may leave a weight that is lost just below 1.
  constexpr double kLost = 0.9999;
  const double error = distortion.relative_error();
  if (error < kLost || is_placeholder(options)) return "";
  return fmt::format("{}: relative error {:.3g}", codec_name(options), error);
}

}  // namespace pqw
