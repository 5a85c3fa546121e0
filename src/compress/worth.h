// Whether an encoding is worth storing: whether it is smaller than its tensor, and close to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "pqw/codecs/encode.h"
#include "pqw/core/distortion.h"

namespace pqw {

// Whether that many tensors like this one are larger than so many bytes of a weight and what the
// tables of an archive take for them.
bool shrinks(std::uint64_t bytes, const TensorInfo& info, std::size_t n_tensors = 1);

// Measures the decoded weight, in the type of the original, against the original.
Distortion measure_stored(std::span<const std::byte> original, const TensorInfo& info,
                          const Weight& weight);

// Why a weight must not replace its tensor: "low_rank: relative error 1.3" if zeros are about as
// close (a relative error of 0.9999 or more); empty if it may. Placeholders (codecs/encode.h)
// always may.
std::string fault_of(const Distortion& distortion, const CodecOptions& options);

}  // namespace pqw
