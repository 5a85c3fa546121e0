// The nearest centroid of each block with AVX-512F.
#include <immintrin.h>

#include "kernels/nearest_tiled.h"

namespace pqw::kernels {
namespace {

struct Instructions {
  using Floats = Floats16;
  static constexpr std::size_t kVectors = 2;
  static constexpr std::size_t kCentroids = 8;  // 2 * 8 sums of 32 registers

  static void load_columns(const float* const* rows, std::size_t j0, std::size_t n_columns,
                           Floats* columns) {
    const auto wanted = static_cast<__mmask16>((1u << n_columns) - 1);
    const auto load_two = [&](std::size_t low, std::size_t high) {
      const __m512 below = _mm512_maskz_loadu_ps(wanted, rows[low] + j0);
      const __m512 above = _mm512_maskz_loadu_ps(wanted, rows[high] + j0);
      return _mm512_castpd_ps(_mm512_insertf64x4(
          _mm512_castps_pd(below), _mm256_castps_pd(_mm512_castps512_ps256(above)), 1));
    };
    // Transposes 4 x 4 in each quarter: quarter q of out[j] is column j + 4 (q % 2) of 4 rows.
    const auto transpose = [](__m512(&r)[4]) {
      const __m512 a = _mm512_unpacklo_ps(r[0], r[1]), b = _mm512_unpackhi_ps(r[0], r[1]);
      const __m512 c = _mm512_unpacklo_ps(r[2], r[3]), d = _mm512_unpackhi_ps(r[2], r[3]);
      r[0] = _mm512_shuffle_ps(a, c, 0x44);
      r[1] = _mm512_shuffle_ps(a, c, 0xee);
      r[2] = _mm512_shuffle_ps(b, d, 0x44);
      r[3] = _mm512_shuffle_ps(b, d, 0xee);
    };
    __m512 first[4], last[4];  // rows 0 .. 7 and 8 .. 15
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      first[i] = load_two(i, i + 4);
      last[i] = load_two(i + 8, i + 12);
    }
    transpose(first);
    transpose(last);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) {
      columns[j] = _mm512_shuffle_f32x4(first[j], last[j], 0x88);
      columns[j + 4] = _mm512_shuffle_f32x4(first[j], last[j], 0xdd);
    }
  }
  static std::uint32_t less_mask(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
  }
  static std::uint32_t equal_mask(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
  }
  static float smallest(Floats a) { return _mm512_reduce_min_ps(a); }
};

static_assert(NearestInstructions<Instructions>);

}  // namespace

void nearest_avx512(const float* blocks, std::size_t n, const CentroidTiles& tiles, float* scratch,
                    std::uint16_t* codes, float* distances) {
  TiledNearest<Instructions>(tiles, scratch).run(blocks, n, codes, distances);
}

}  // namespace pqw::kernels
