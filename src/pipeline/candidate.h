// Whether a tensor can be compressed and whether that is worth it.
#pragma once

#include <cstddef>
#include <optional>

#include "pqw/codecs/encode.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/plan.h"

namespace pqw {

inline constexpr char kWouldNotShrink[] = "would not shrink";
inline constexpr char kNotFinite[] = "holds NaN or infinity";

// Whether that many tensors like this one are larger than the weight and what the tables of an
// archive take for them.
bool shrinks(const Weight& weight, const TensorInfo& info, std::size_t n_tensors = 1);

// The floats of a tensor; nothing where it holds NaN or infinity and its entry says that it is to
// be plain then. Errors: those of read_floats.
std::optional<FloatTensor> read_finite(const WeightReader& reader, std::size_t index,
                                       const PlanEntry& entry);

}  // namespace pqw
