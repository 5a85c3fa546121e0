// Multiplying from codes with AVX-512 F and BW.
#include "kernels/lookup_avx512_vectors.h"

namespace pqw::kernels {
namespace {

// The entries of 32 wide codes in 8 vectors of 32 words: the low six bits choose in pairs of
// vectors, the high two among the results.
inline __m512i choose(const std::uint8_t* tables, __m512i code) {
  const auto part = [&](std::size_t i) { return _mm512_loadu_si512(tables + i * 64); };
  const __mmask32 bit6 = _mm512_test_epi16_mask(code, _mm512_set1_epi16(64));
  const __mmask32 bit7 = _mm512_test_epi16_mask(code, _mm512_set1_epi16(128));
  __m512i quarter[4];
#pragma GCC unroll 4
  for (std::size_t q = 0; q < 4; ++q) {
    quarter[q] = _mm512_permutex2var_epi16(part(2 * q), code, part(2 * q + 1));
  }
  return _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, quarter[0], quarter[1]),
                                 _mm512_mask_blend_epi16(bit6, quarter[2], quarter[3]));
}

// The sums of a tile: rows 0..31 and 32..63, the words of each as ByteSums has bytes. int32 lane j
// of `even` is row 2j of the half, of `odd` row 2j+1.
template <Entries kEntries>
void sweep_wide(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                std::size_t n_tiles, const std::uint8_t* tables, float scale, std::uint8_t* scratch,
                float* sums) {
  constexpr std::size_t kQuadTables = kQuadBytes * kWideCentroids * 2;
  std::memset(scratch, 0, n_tiles * 256);
  for (std::size_t quad = 0; quad < n_quads; ++quad) {
    for (std::size_t half = 0; half < 2 * n_tiles; ++half) {
      const std::uint8_t* at = codes + quad * quad_stride + half / 2 * kTileBytes + half % 2 * 32;
      std::uint8_t* place = scratch + half * 128;
      __m512i all = _mm512_loadu_si512(place), odd = _mm512_loadu_si512(place + 64);
#pragma GCC unroll 4
      for (std::size_t b = 0; b < kQuadBytes; ++b) {
        const __m256i bytes =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + b * kTileRows));
        const __m512i entries = choose(tables + quad * kQuadTables + b * kWideCentroids * 2,
                                       _mm512_cvtepu8_epi16(bytes));
        all = _mm512_add_epi32(all, entries);
        odd = _mm512_add_epi32(odd, _mm512_srli_epi32(entries, 16));
      }
      _mm512_storeu_si512(place, all);
      _mm512_storeu_si512(place + 64, odd);
    }
  }
  const std::uint32_t offset = offset_of<kEntries, Codes::kWide>(n_quads);
  for (std::size_t half = 0; half < 2 * n_tiles; ++half) {
    const auto all = load<Lanes::Numbers>(scratch + half * 128),
               odd = load<Lanes::Numbers>(scratch + half * 128 + 64);
    add_scaled<Lanes>(all - (odd << 16) - offset, scale, sums + half * 32);
    add_scaled<Lanes>(odd - offset, scale, sums + half * 32 + 16);
  }
}

void order_pairs(const float* sums, float* rows) {
  for (std::size_t r = 0; r < kTileRows; ++r) {
    rows[r] = sums[r / 32 * 32 + r % 2 * 16 + r % 32 / 2];
  }
}

// Tables of floats in 16 vectors: the low five bits choose in pairs of them, the high three among
// the results. A vector is 16 rows of a tile.
void sweep_floats(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                  std::size_t n_tiles, const float* tables, float* sums) {
  for (std::size_t quad = 0; quad < n_quads; ++quad, codes += quad_stride) {
    for (std::size_t part = 0; part < 4 * n_tiles; ++part) {
      const std::uint8_t* at = codes + part / 4 * kTileBytes + part % 4 * 16;
      prefetch(codes + part * 64);
      __m512 sum = _mm512_loadu_ps(sums + part * 16);
#pragma GCC unroll 4
      for (std::size_t b = 0; b < kQuadBytes; ++b) {
        const float* table = tables + (quad * kQuadBytes + b) * kWideCentroids;
        const __m512i code = _mm512_cvtepu8_epi32(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + b * kTileRows)));
        __m512 entries[8];
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
          entries[i] = _mm512_permutex2var_ps(_mm512_loadu_ps(table + i * 32), code,
                                              _mm512_loadu_ps(table + i * 32 + 16));
        }
#pragma GCC unroll 3
        for (std::size_t step = 1; step < 8; step *= 2) {
          const __mmask16 bit =
              _mm512_test_epi32_mask(code, _mm512_set1_epi32(static_cast<int>(step * 32)));
#pragma GCC unroll 4
          for (std::size_t i = 0; i < 8; i += 2 * step) {
            entries[i] = _mm512_mask_blend_ps(bit, entries[i], entries[i + step]);
          }
        }
        sum = _mm512_add_ps(sum, entries[0]);
      }
      _mm512_storeu_ps(sums + part * 16, sum);
    }
  }
}

constexpr FloatLookupKernel kFloats = {
    .arrange = nullptr,
    .sweep = sweep_floats,
    .order = keep_order,
    .cycles = {.sweep_per_tile_byte = 40.0f, .arrange_per_entry = 0}};

}  // namespace

const LookupKernels lookup_avx512 = {
    .name = "avx512",
    .wide_lanes = Lanes::kLanes,
    .narrow_lanes = HalfLanes::kLanes,
    .interleaved_narrow = false,
    .wide_high = {.quad_table_bytes = 2048,
                  .build = build_high_words<Lanes, 256>,
                  .sweep = sweep_wide<Entries::k16Bits>,
                  .order = order_pairs,
                  .cycles = {.sweep_per_tile_byte = 24.5f, .build_per_entry = 0.4f}},
    .wide_fast = {.quad_table_bytes = 2048,
                  .build = build_fast_words<Lanes, 256>,
                  .sweep = sweep_wide<Entries::k8Bits>,
                  .order = order_pairs,
                  .cycles = {.sweep_per_tile_byte = 24.5f, .build_per_entry = 0.7f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_planes<HalfLanes, Lanes, 16>,
                    .sweep = sweep_bytes<Lanes, Entries::k16Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Lanes>,
                    .cycles = {.sweep_per_tile_byte = 12.0f, .build_per_entry = 0.6f}},
    .narrow_fast = {.quad_table_bytes = 128,
                    .build = build_bytes<HalfLanes, Lanes, 16>,
                    .sweep = sweep_bytes<Lanes, Entries::k8Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Lanes>,
                    .cycles = {.sweep_per_tile_byte = 6.5f, .build_per_entry = 0.8f}},
    .few_fast = batch_lookup<HalfLanes, 1, Lanes>(
        {.build_per_vector_pair = 1.2f, .sweep_per_code = 1.3f, .flush_per_row = 6.0f}),
    .many_fast = batch_lookup<Lanes, 1>(
        {.build_per_vector_pair = 1.6f, .sweep_per_code = 2.0f, .flush_per_row = 12.0f}),
    .wide_floats = kFloats,
    .narrow_floats = kFloats};

}  // namespace pqw::kernels
