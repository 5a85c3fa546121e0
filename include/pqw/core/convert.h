// Conversions between float and the 16-bit types, and of whole buffers between float types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pqw/core/dtype.h"

namespace pqw {

// IEEE 754 binary16 and bfloat16, as bit patterns. Narrowing rounds to nearest even and saturates:
// a finite value beyond the range of the type becomes the largest finite one. Infinity stays
// infinity, NaN stays NaN. Widening is exact.
std::uint16_t float_to_f16(float value);
float f16_to_float(std::uint16_t bits);
inline bool is_exact_in_f16(float value) { return f16_to_float(float_to_f16(value)) == value; }
std::uint16_t float_to_bf16(float value);
float bf16_to_float(std::uint16_t bits);

// Widens or narrows `from` (little-endian elements of type `dtype`, unaligned allowed) to float.
// F64 rounds to nearest. REQUIRES: is_compressible(dtype), from.size() == to.size() * its size.
void to_float(std::span<const std::byte> from, DType dtype, std::span<float> to);

// The same to double, which holds every value exactly.
void to_double(std::span<const std::byte> from, DType dtype, std::span<double> to);

// The inverse; narrowing saturates, as above. REQUIRES: as above.
void from_float(std::span<const float> from, DType dtype, std::span<std::byte> to);

}  // namespace pqw
