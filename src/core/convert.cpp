// Conversions between float and the 16-bit types, and of whole buffers between float types.
#include "pqw/core/convert.h"

#include <bit>
#include <cassert>
#include <cstring>

namespace pqw {
namespace {

constexpr std::uint32_t kSignMask = 0x80000000u;
constexpr std::uint32_t kInfinity = 0x7f800000u;

// Right shift by 1..31 that rounds to nearest, ties to even.
std::uint32_t shift_round(std::uint32_t value, unsigned shift) {
  const std::uint32_t half = 1u << (shift - 1);
  const std::uint32_t odd = (value >> shift) & 1u;
  return (value + half - 1u + odd) >> shift;
}

template <class T, class To, class Widen>
void widen(std::span<const std::byte> from, std::span<To> to, Widen convert) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T value;
    std::memcpy(&value, from.data() + i * sizeof(T), sizeof(T));
    to[i] = convert(value);
  }
}

template <class T, class Narrow>
void narrow(std::span<const float> from, std::span<std::byte> to, Narrow convert) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const T value = convert(from[i]);
    std::memcpy(to.data() + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

std::uint16_t float_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits & kSignMask) >> 16);
  const std::uint32_t magnitude = bits & ~kSignMask;
  if (magnitude > kInfinity) {  // NaN: keep the top payload bits, stay quiet
    return static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x03ffu));
  }
  if (magnitude == kInfinity) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7bffu);  // >= 65520
  if (magnitude >= 0x38800000u) {  // normal: >= 2^-14; rebias the exponent from 127 to 15
    return static_cast<std::uint16_t>(sign | shift_round(magnitude - 0x38000000u, 13));
  }
  if (magnitude <= 0x33000000u) return sign;  // <= 2^-25 rounds to zero
  const std::uint32_t mantissa = (magnitude & 0x007fffffu) | 0x00800000u;
  const unsigned shift = 126u - (magnitude >> 23);  // value = mantissa * 2^(e-150), unit 2^-24
  return static_cast<std::uint16_t>(sign | shift_round(mantissa, shift));
}

float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x03ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | kInfinity | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & ~kSignMask;
  if (magnitude > kInfinity) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  if (magnitude >= 0x7f7f8000u && magnitude < kInfinity) {  // would round to infinity
    return static_cast<std::uint16_t>((bits & kSignMask) >> 16 | 0x7f7fu);
  }
  const std::uint32_t odd = (bits >> 16) & 1u;
  return static_cast<std::uint16_t>((bits + 0x7fffu + odd) >> 16);
}

float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

namespace {

// `own` is the type of the floats of `to`: bytes of that type are copied.
template <class To>
void to_floats(std::span<const std::byte> from, DType dtype, DType own, std::span<To> to) {
  assert(is_compressible(dtype) && from.size() == to.size() * size_in_bytes(dtype));
  if (dtype == own) {
    if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  } else if (dtype == DType::kF16) {
    widen<std::uint16_t>(from, to, f16_to_float);
  } else if (dtype == DType::kBF16) {
    widen<std::uint16_t>(from, to, bf16_to_float);
  } else if (dtype == DType::kF32) {
    widen<float>(from, to, [](float value) { return static_cast<To>(value); });
  } else {
    widen<double>(from, to, [](double value) { return static_cast<To>(value); });
  }
}

}  // namespace

void to_float(std::span<const std::byte> from, DType dtype, std::span<float> to) {
  to_floats(from, dtype, DType::kF32, to);
}

void to_double(std::span<const std::byte> from, DType dtype, std::span<double> to) {
  to_floats(from, dtype, DType::kF64, to);
}

void from_float(std::span<const float> from, DType dtype, std::span<std::byte> to) {
  assert(is_compressible(dtype) && to.size() == from.size() * size_in_bytes(dtype));
  switch (dtype) {
    case DType::kF16:
      return narrow<std::uint16_t>(from, to, float_to_f16);
    case DType::kBF16:
      return narrow<std::uint16_t>(from, to, float_to_bf16);
    case DType::kF64:
      return narrow<double>(from, to, [](float value) { return static_cast<double>(value); });
    default:
      if (!from.empty()) std::memcpy(to.data(), from.data(), to.size());
  }
}

}  // namespace pqw
