// How far the outputs of a layer move when other weights take the place of its own.
#pragma once

#include <cstddef>
#include <span>

#include "pqw/codecs/input_statistics.h"
#include "pqw/core/distortion.h"
#include "pqw/core/dtype.h"

namespace pqw {

// The distortion of the outputs y = x Wᵀ, without biases, of the held-out rows x, in double: its
// relative_error() is ‖x(W-Ŵ)ᵀ‖² / ‖xWᵀ‖². Layout: W and Ŵ are [rows][inputs.cols], in the order of
// canonical tensors. Uses all threads; does not depend on their number.
// REQUIRES: float types; equal numbers of whole rows.
Distortion output_distortion(const InputStatistics& inputs, DType original_dtype,
                             std::span<const std::byte> original, DType reconstruction_dtype,
                             std::span<const std::byte> reconstruction);

}  // namespace pqw
