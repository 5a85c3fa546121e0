// The nearest centroid of each block with NEON.
#include <arm_neon.h>

#include "kernels/nearest_tiled.h"

namespace pqw::kernels {
namespace {

struct Instructions {
  using Floats = Floats4;
  static constexpr std::size_t kVectors = 4;
  static constexpr std::size_t kCentroids = 4;  // 4 * 4 sums of 32 registers

  // The first n values, zeros after them.
  static float32x4_t first(const float* from, std::size_t n) {
    if (n >= 4) return vld1q_f32(from);
    float32x4_t values = vdupq_n_f32(0);
    if (n > 0) values = vld1q_lane_f32(from, values, 0);
    if (n > 1) values = vld1q_lane_f32(from + 1, values, 1);
    if (n > 2) values = vld1q_lane_f32(from + 2, values, 2);
    return values;
  }
  static void load_columns(const float* const* rows, std::size_t j0, std::size_t n_columns,
                           Floats* columns) {
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 8; half += 4) {
      const std::size_t n = n_columns > half ? n_columns - half : 0;
      const std::size_t j = n > 0 ? j0 + half : j0;
      const float32x4_t a = first(rows[0] + j, n), b = first(rows[1] + j, n);
      const float32x4_t c = first(rows[2] + j, n), d = first(rows[3] + j, n);
      // a0 b0 a2 b2 and a1 b1 a3 b3, seen as pairs
      const auto ab_even = vreinterpretq_f64_f32(vtrn1q_f32(a, b));
      const auto ab_odd = vreinterpretq_f64_f32(vtrn2q_f32(a, b));
      const auto cd_even = vreinterpretq_f64_f32(vtrn1q_f32(c, d));
      const auto cd_odd = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
      columns[half] = as<Floats>(vtrn1q_f64(ab_even, cd_even));
      columns[half + 1] = as<Floats>(vtrn1q_f64(ab_odd, cd_odd));
      columns[half + 2] = as<Floats>(vtrn2q_f64(ab_even, cd_even));
      columns[half + 3] = as<Floats>(vtrn2q_f64(ab_odd, cd_odd));
    }
  }
  static std::uint32_t mask(uint32x4_t lanes) {
    const uint32x4_t bits = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(lanes, bits));
  }
  static std::uint32_t less_mask(Floats a, Floats b) { return mask(vcltq_f32(a, b)); }
  static std::uint32_t equal_mask(Floats a, Floats b) { return mask(vceqq_f32(a, b)); }
  static float smallest(Floats a) { return vminvq_f32(a); }
};

static_assert(NearestInstructions<Instructions>);

}  // namespace

void nearest_neon(const float* blocks, std::size_t n, const CentroidTiles& tiles, float* scratch,
                  std::uint16_t* codes, float* distances) {
  TiledNearest<Instructions>(tiles, scratch).run(blocks, n, codes, distances);
}

}  // namespace pqw::kernels
