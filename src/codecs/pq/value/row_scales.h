// The types of row scales (RowScales of pq.h).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/codecs/pq.h"

namespace pqw {

inline constexpr float kLargestRowScale = 2;  // of kLog8; no encoder makes larger ones

// The nearest scale of that type; of kLog8 by the ratio. Scales too small for the type become 0,
// and scales beyond kLargestRowScale become kLargestRowScale. REQUIRES: scale >= 0; not kNone.
float nearest_row_scale(double scale, RowScales type);

// Scales to and from the bytes of their section. REQUIRES: each scale is exact in the type.
std::vector<std::byte> bytes_of_row_scales(std::span<const float> scales, RowScales type);
std::vector<float> row_scales_of_bytes(std::span<const std::byte> bytes, RowScales type);

}  // namespace pqw
