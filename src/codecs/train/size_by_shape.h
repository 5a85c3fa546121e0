// Sizes of weights whose values are not known yet, for example factors.
#pragma once

#include <optional>

#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/weight.h"

namespace pqw {

// The size by the shape alone; empty if the values matter.
std::optional<WeightSize> size_by_shape(const TensorInfo& tensor, const CodecOptions& options);

}  // namespace pqw
