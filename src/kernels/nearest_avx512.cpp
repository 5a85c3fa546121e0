// The nearest centroid of each block with AVX-512F.
#include <immintrin.h>

#include "kernels/nearest_tiled.h"

namespace pqw::kernels {
namespace {

struct Vector {
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kCentroids = 8;  // 2 * 8 sums of 32 registers

  __m512 raw;

  static Vector set(float value) { return {_mm512_set1_ps(value)}; }
  static Vector load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Vector gather(const float* from, const std::int32_t* offsets) {
    return {_mm512_i32gather_ps(_mm512_loadu_si512(offsets), from, sizeof(float))};
  }
  void store(float* to) const { _mm512_storeu_ps(to, raw); }
  static Vector add(Vector a, Vector b) { return {_mm512_add_ps(a.raw, b.raw)}; }
  static Vector sub(Vector a, Vector b) { return {_mm512_sub_ps(a.raw, b.raw)}; }
  static Vector mul(Vector a, Vector b) { return {_mm512_mul_ps(a.raw, b.raw)}; }
  static Vector min(Vector a, Vector b) { return {_mm512_min_ps(a.raw, b.raw)}; }
  static Vector max(Vector a, Vector b) { return {_mm512_max_ps(a.raw, b.raw)}; }
  static Vector sqrt(Vector a) { return {_mm512_sqrt_ps(a.raw)}; }
  // sum + a * b, sum - a * b
  static Vector add_product(Vector sum, Vector a, Vector b) {
    return {_mm512_fmadd_ps(a.raw, b.raw, sum.raw)};
  }
  static Vector subtract_product(Vector sum, Vector a, Vector b) {
    return {_mm512_fnmadd_ps(a.raw, b.raw, sum.raw)};
  }
  // Lane by lane a < b ? yes : no.
  static Vector if_less(Vector a, Vector b, Vector yes, Vector no) {
    return {_mm512_mask_mov_ps(no.raw, _mm512_cmp_ps_mask(a.raw, b.raw, _CMP_LT_OQ), yes.raw)};
  }
  // Bit i: lane i.
  static std::uint32_t less_mask(Vector a, Vector b) {
    return _mm512_cmp_ps_mask(a.raw, b.raw, _CMP_LT_OQ);
  }
  static std::uint32_t equal_mask(Vector a, Vector b) {
    return _mm512_cmp_ps_mask(a.raw, b.raw, _CMP_EQ_OQ);
  }
  static float smallest(Vector a) { return _mm512_reduce_min_ps(a.raw); }
};

}  // namespace

void nearest_avx512(const float* blocks, std::size_t n, const CentroidTiles& tiles, float* scratch,
                    std::uint16_t* codes, float* distances) {
  TiledNearest<Vector>(tiles, scratch).run(blocks, n, codes, distances);
}

}  // namespace pqw::kernels
