// Whether a tensor can be compressed and whether that is worth it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/compress/plan.h"
#include "pqw/core/distortion.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

inline constexpr char kWouldNotShrink[] = "would not shrink";
inline constexpr char kNotFinite[] = "holds NaN or infinity";
inline constexpr char kVanishes[] = "has only weights below the range of float";

// Whether that many tensors like this one are larger than the weight and what the tables of an
// archive take for them.
bool shrinks(const Weight& weight, const TensorInfo& info, std::size_t n_tensors = 1);

// The floats of a tensor, or why it stays plain: kNotFinite (if its entry allows that) or
// kVanishes.
struct Candidate {
  std::optional<FloatTensor> tensor;
  std::string reason;
};

// Errors: those of read_floats.
Candidate read_candidate(const WeightReader& reader, std::size_t index, const PlanEntry& entry);

// Measures the decoded weight, in the type of the original, against the original.
Distortion measure_stored(const std::vector<std::byte>& original, const TensorInfo& info,
                          const Weight& weight);

// The compressed tensor with these options; learned only if the planned weight does not tell the
// outcome. Empty if the tensor stays as it is; `faults` then gets the text of fault_of, if any.
std::optional<Weight> preview(const WeightReader& reader, std::size_t index, FloatTensor tensor,
                              const CodecOptions& options, std::vector<std::string>& faults);

// Why a weight must not replace its tensor: "low_rank: relative error 1.3" if zeros are about as
// close (a relative error of 0.9999 or more); empty if it may. Placeholders (codecs/foresight.h)
// always may.
std::string fault_of(const Distortion& distortion, const CodecOptions& options);

}  // namespace pqw
