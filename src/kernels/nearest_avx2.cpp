// The nearest centroid of each block with AVX2 and FMA.
#include <immintrin.h>

#include "kernels/nearest_tiled.h"

namespace pqw::kernels {
namespace {

struct Instructions {
  using Floats = Floats8;
  static constexpr std::size_t kVectors = 2;
  static constexpr std::size_t kCentroids = 4;  // 2 * 4 sums of 16 registers

  static void load_columns(const float* const* rows, std::size_t j0, std::size_t n_columns,
                           Floats* columns) {
    const __m256i number = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i wanted =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n_columns)), number);
    // Transposes 4 x 4 in each half: half h of out[j] is column j + 4 h of 4 rows.
    const auto transpose = [](__m256(&r)[4]) {
      const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
      const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
      r[0] = _mm256_shuffle_ps(a, c, 0x44);
      r[1] = _mm256_shuffle_ps(a, c, 0xee);
      r[2] = _mm256_shuffle_ps(b, d, 0x44);
      r[3] = _mm256_shuffle_ps(b, d, 0xee);
    };
    __m256 first[4], last[4];  // rows 0 .. 3 and 4 .. 7
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      first[i] = _mm256_maskload_ps(rows[i] + j0, wanted);
      last[i] = _mm256_maskload_ps(rows[i + 4] + j0, wanted);
    }
    transpose(first);
    transpose(last);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) {
      columns[j] = _mm256_permute2f128_ps(first[j], last[j], 0x20);
      columns[j + 4] = _mm256_permute2f128_ps(first[j], last[j], 0x31);
    }
  }
  static std::uint32_t less_mask(Floats a, Floats b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)));
  }
  static std::uint32_t equal_mask(Floats a, Floats b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)));
  }
  static float smallest(Floats a) {
    __m128 low = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    low = _mm_min_ps(low, _mm_movehl_ps(low, low));
    return _mm_cvtss_f32(_mm_min_ss(low, _mm_movehdup_ps(low)));
  }
};

static_assert(NearestInstructions<Instructions>);

}  // namespace

void nearest_avx2(const float* blocks, std::size_t n, const CentroidTiles& tiles, float* scratch,
                  std::uint16_t* codes, float* distances) {
  TiledNearest<Instructions>(tiles, scratch).run(blocks, n, codes, distances);
}

}  // namespace pqw::kernels
