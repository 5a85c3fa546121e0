// Probes: short runs that estimate what an operating point gives.
#pragma once

#include <cstdint>
#include <optional>

#include "pqw/codecs/encode.h"

namespace pqw {

struct Probed {
  double relative_error = 0;
  double saved_bytes = 0;  // what the tensor takes less than its operating point says, about
  std::optional<std::uint64_t> bytes = {};  // data_bytes of its record, once it was made
};

// About the error of the tensor by these options, and its bytes, at little effort: from evenly
// spaced rows of a large tensor, and few iterations. Deterministic.
Probed probe(const FloatTensor& tensor, const CodecOptions& options);

}  // namespace pqw
