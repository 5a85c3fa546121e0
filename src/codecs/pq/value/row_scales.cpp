// The types of row scales: bytes of a logarithmic scale, and float16.
#include "codecs/pq/value/row_scales.h"

#include <algorithm>
#include <array>

#include "pqw/core/convert.h"
#include "pqw/core/dtype.h"

namespace pqw {
namespace {

// The scale of each code of kLog8, ascending. The literals are 2^(i/16), rounded to the nearest
// float, and powers of two are exact: so all processors have the same scales.
constexpr std::array<float, 256> log8_scales() {
  constexpr float kRoots[16] = {0x1p0f,        0x1.0b5586p0f, 0x1.172b84p0f, 0x1.2387a6p0f,
                                0x1.306fe0p0f, 0x1.3dea64p0f, 0x1.4bfdaep0f, 0x1.5ab07ep0f,
                                0x1.6a09e6p0f, 0x1.7a1148p0f, 0x1.8ace54p0f, 0x1.9c4918p0f,
                                0x1.ae89fap0f, 0x1.c199bep0f, 0x1.d5818ep0f, 0x1.ea4afap0f};
  std::array<float, 256> scales = {};
  for (unsigned code = 1; code < 256; ++code) {
    const unsigned sixteenths = code + 1;  // above 2^-15
    scales[code] = kRoots[sixteenths % 16] * 0x1p-15f * static_cast<float>(1 << sixteenths / 16);
  }
  return scales;
}

constexpr std::array<float, 256> kScales = log8_scales();

// REQUIRES: scale <= kLargestRowScale.
std::size_t log8_code(double scale) {
  const auto at_least = std::partition_point(kScales.begin(), kScales.end(),
                                             [&](float value) { return value < scale; });
  const auto code = static_cast<std::size_t>(at_least - kScales.begin());
  if (code == 0) return 0;
  // The lower neighbour is nearer below the geometric mean of both; the lower neighbour of the
  // smallest scale would be 2^(-1/16) times that scale, and 0 takes its place.
  const double upper = kScales[code];
  const double lower = code == 1 ? upper * kScales[1] / kScales[2] : double{kScales[code - 1]};
  return scale * scale < lower * upper ? code - 1 : code;
}

}  // namespace

float nearest_row_scale(double scale, RowScales type) {
  scale = std::min<double>(scale, kLargestRowScale);
  if (type == RowScales::kLog8) return kScales[log8_code(scale)];
  return f16_to_float(float_to_f16(static_cast<float>(scale)));
}

std::vector<std::byte> bytes_of_row_scales(std::span<const float> scales, RowScales type) {
  if (type == RowScales::kF16) {
    std::vector<std::byte> bytes(scales.size() * size_in_bytes(DType::kF16));
    from_float(scales, DType::kF16, bytes);
    return bytes;
  }
  std::vector<std::byte> bytes;
  for (const float scale : scales) bytes.push_back(static_cast<std::byte>(log8_code(scale)));
  return bytes;
}

std::vector<float> row_scales_of_bytes(std::span<const std::byte> bytes, RowScales type) {
  std::vector<float> scales;
  if (type == RowScales::kF16) {
    scales.resize(bytes.size() / size_in_bytes(DType::kF16));
    to_float(bytes, DType::kF16, scales);
  } else {
    for (const std::byte code : bytes)
      scales.push_back(kScales[std::to_integer<std::size_t>(code)]);
  }
  return scales;
}

}  // namespace pqw
