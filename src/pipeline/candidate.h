// Whether a tensor can be compressed and whether that is worth it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/core/distortion.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/plan.h"

namespace pqw {

inline constexpr char kWouldNotShrink[] = "would not shrink";
inline constexpr char kNotFinite[] = "holds NaN or infinity";
inline constexpr char kVanishes[] = "has only weights below the range of float";

// Whether that many tensors like this one are larger than the weight and what the tables of an
// archive take for them.
bool shrinks(const Weight& weight, const TensorInfo& info, std::size_t n_tensors = 1);

// The floats of a tensor, or why it stays plain: kNotFinite, where its entry says so, or kVanishes.
struct Candidate {
  std::optional<FloatTensor> tensor;
  std::string reason;
};

// Errors: those of read_floats.
Candidate read_candidate(const WeightReader& reader, std::size_t index, const PlanEntry& entry);

// The decoded weight against the original, in its own type.
Distortion measure_stored(const TensorBytes& original, const TensorInfo& info,
                          const Weight& weight);

// What compressing a tensor with these options makes of it, learned only where the plan does not
// tell all. Empty where it is left as it is; faults get the reason, if that is fault_of.
std::optional<Weight> preview(const WeightReader& reader, std::size_t index, FloatTensor tensor,
                              const CodecOptions& options, std::vector<std::string>& faults);

// Why a weight is not taken in the place of its tensor: "low_rank: relative error 1.3" where zeros
// are as close; empty when it is taken. Placeholders (codecs/foresight.h) are.
std::string fault_of(const Distortion& distortion, const CodecOptions& options);

}  // namespace pqw
