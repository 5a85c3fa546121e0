// The nearest centroid of each block with AVX2 and FMA.
#include <immintrin.h>

#include "kernels/nearest_tiled.h"

namespace pqw::kernels {
namespace {

struct Vector {
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kCentroids = 4;  // 2 * 4 sums of 16 registers

  __m256 raw;

  static Vector set(float value) { return {_mm256_set1_ps(value)}; }
  static Vector load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Vector gather(const float* from, const std::int32_t* offsets) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offsets));
    return {_mm256_i32gather_ps(from, raw, sizeof(float))};
  }
  void store(float* to) const { _mm256_storeu_ps(to, raw); }
  static Vector add(Vector a, Vector b) { return {_mm256_add_ps(a.raw, b.raw)}; }
  static Vector sub(Vector a, Vector b) { return {_mm256_sub_ps(a.raw, b.raw)}; }
  static Vector mul(Vector a, Vector b) { return {_mm256_mul_ps(a.raw, b.raw)}; }
  static Vector min(Vector a, Vector b) { return {_mm256_min_ps(a.raw, b.raw)}; }
  static Vector max(Vector a, Vector b) { return {_mm256_max_ps(a.raw, b.raw)}; }
  static Vector sqrt(Vector a) { return {_mm256_sqrt_ps(a.raw)}; }
  // sum + a * b, sum - a * b
  static Vector add_product(Vector sum, Vector a, Vector b) {
    return {_mm256_fmadd_ps(a.raw, b.raw, sum.raw)};
  }
  static Vector subtract_product(Vector sum, Vector a, Vector b) {
    return {_mm256_fnmadd_ps(a.raw, b.raw, sum.raw)};
  }
  // Lane by lane a < b ? yes : no.
  static Vector if_less(Vector a, Vector b, Vector yes, Vector no) {
    return {_mm256_blendv_ps(no.raw, yes.raw, _mm256_cmp_ps(a.raw, b.raw, _CMP_LT_OQ))};
  }
  // Bit i: lane i.
  static std::uint32_t less_mask(Vector a, Vector b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.raw, b.raw, _CMP_LT_OQ)));
  }
  static std::uint32_t equal_mask(Vector a, Vector b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.raw, b.raw, _CMP_EQ_OQ)));
  }
  static float smallest(Vector a) {
    __m128 low = _mm_min_ps(_mm256_castps256_ps128(a.raw), _mm256_extractf128_ps(a.raw, 1));
    low = _mm_min_ps(low, _mm_movehl_ps(low, low));
    return _mm_cvtss_f32(_mm_min_ss(low, _mm_movehdup_ps(low)));
  }
};

}  // namespace

void nearest_avx2(const float* blocks, std::size_t n, const CentroidTiles& tiles, float* scratch,
                  std::uint16_t* codes, float* distances) {
  TiledNearest<Vector>(tiles, scratch).run(blocks, n, codes, distances);
}

}  // namespace pqw::kernels
