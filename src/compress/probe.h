// Probes: short runs that estimate what an operating point gives.
#pragma once

#include <cstdint>
#include <optional>

#include "pqw/codecs/encode.h"

namespace pqw {

struct Probed {
  std::optional<double> relative_error = {};
  double saved_bytes = 0;  // estimate: `bytes` of the operating point minus what the tensor takes
  std::optional<std::uint64_t> bytes = {};  // exact: data_bytes of the record, if it was made
};

// Estimates the error and the bytes of the tensor with these options at little effort: with few
// iterations, on evenly spaced rows of large tensors. Deterministic.
Probed probe(const FloatTensor& tensor, const CodecOptions& options);

}  // namespace pqw
