// Multiplying from codes with AVX-512 F, BW, VL, VBMI and VNNI.
#include "kernels/lookup_avx512_vectors.h"

namespace pqw::kernels {
namespace {

// Wide codes: a table of 256 bytes is four vectors; the low six bits of the codes choose in them,
// the high two among the results. On Intel four vpermb take the time of two vpermi2b, and the masks
// serve both planes.
template <LookupBytes V, Entries kEntries>
struct WideQuad {
  static constexpr std::size_t kPlanes = kEntries == Entries::k16Bits ? 2 : 1;
  static constexpr std::size_t kTableBytes = kQuadBytes * kWideCentroids * kPlanes;

  static void add(const std::uint8_t* codes, const std::uint8_t* tables,
                  ByteSums<V, kEntries>& sums) {
#pragma GCC unroll 4
    for (std::size_t b = 0; b < kQuadBytes; ++b) {
      const __m512i code = _mm512_loadu_si512(codes + b * kTileRows);
      const __mmask64 bit7 = _mm512_movepi8_mask(code);
      const __mmask64 bit6 = _mm512_movepi8_mask(_mm512_add_epi8(code, code));
#pragma GCC unroll 2
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        const std::uint8_t* table = tables + b * kWideCentroids * kPlanes + plane * 64;
        const auto part = [&](std::size_t i) {
          return _mm512_loadu_si512(table + i * 64 * kPlanes);
        };
        __m512i low = _mm512_permutexvar_epi8(code, part(0));
        low = _mm512_mask_permutexvar_epi8(low, bit6, code, part(1));
        __m512i high = _mm512_permutexvar_epi8(code, part(2));
        high = _mm512_mask_permutexvar_epi8(high, bit6, code, part(3));
        sums.add(plane, as<typename V::Bytes>(_mm512_mask_blend_epi8(bit7, low, high)));
      }
    }
  }
};

// Narrow codes: a vector holds the tables of four positions. Four adjacent bytes hold codes of one
// row, so that vpdpbusd with ones sums their entries straight to int32.
// Scratch of a tile: int32[4 vectors of 16 rows][planes][16].
template <Entries kEntries>
void sweep_narrow(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                  std::size_t n_tiles, const std::uint8_t* tables, float scale,
                  std::uint8_t* scratch, float* sums) {
  constexpr std::size_t kPlanes = kEntries == Entries::k16Bits ? 2 : 1;
  constexpr std::size_t kQuadTables = 2 * kPlanes * 64;
  const __m512i ones = _mm512_set1_epi8(1);
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i byte = _mm512_set1_epi32(0x30201000);
  std::memset(scratch, 0, n_tiles * 4 * kPlanes * 64);
  for (std::size_t quad = 0; quad < n_quads; ++quad) {
    __m512i table[2][kPlanes];
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        table[i][plane] =
            _mm512_load_si512(tables + quad * kQuadTables + (i * kPlanes + plane) * 64);
      }
    }
    for (std::size_t part = 0; part < 4 * n_tiles; ++part) {
      const std::uint8_t* at = codes + quad * quad_stride + part * 64;
      prefetch(at);
      const __m512i code = _mm512_loadu_si512(at);
      // (code & nibble) | byte, and the same of the high nibbles
      const __m512i low = _mm512_ternarylogic_epi32(code, nibble, byte, 0xea);
      const __m512i high =
          _mm512_ternarylogic_epi32(_mm512_srli_epi16(code, 4), nibble, byte, 0xea);
#pragma GCC unroll 2
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        std::uint8_t* place = scratch + (part * kPlanes + plane) * 64;
        __m512i sum = _mm512_load_si512(place);
        sum = _mm512_dpbusd_epi32(sum, _mm512_permutexvar_epi8(low, table[0][plane]), ones);
        sum = _mm512_dpbusd_epi32(sum, _mm512_permutexvar_epi8(high, table[1][plane]), ones);
        _mm512_store_si512(place, sum);
      }
    }
  }
  const std::uint32_t offset = offset_of<kEntries, Codes::kNarrow>(n_quads);
  for (std::size_t part = 0; part < 4 * n_tiles; ++part) {
    const std::uint8_t* place = scratch + part * kPlanes * 64;
    auto total = load<Lanes::Numbers>(place);
    if constexpr (kPlanes == 2) total += load<Lanes::Numbers>(place + 64) << 8;
    add_scaled<Lanes>(total - offset, scale, sums + part * 16);
  }
}

// Bytes of 16 dwords each, in four vectors; byte b of them all in vector b. Byte 4i+j of 16 bytes
// L is the byte of dword 4L+j of vector i.
inline void to_bytes(__m512i* v) {
  const __m512i within =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) v[i] = _mm512_shuffle_epi8(v[i], within);
  const __m512i low01 = _mm512_unpacklo_epi32(v[0], v[1]),
                low23 = _mm512_unpacklo_epi32(v[2], v[3]);
  const __m512i high01 = _mm512_unpackhi_epi32(v[0], v[1]),
                high23 = _mm512_unpackhi_epi32(v[2], v[3]);
  v[0] = _mm512_unpacklo_epi64(low01, low23);
  v[1] = _mm512_unpackhi_epi64(low01, low23);
  v[2] = _mm512_unpacklo_epi64(high01, high23);
  v[3] = _mm512_unpackhi_epi64(high01, high23);
}

// A table of floats as four planes of 256 bytes: uint8[4 bytes of a float][256].
void arrange_floats(float* table) {
  __m512i planes[4][4];  // of 64 entries each
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t v = 0; v < 4; ++v) {
      planes[i][v] = _mm512_loadu_si512(table + i * 64 + v * 16);
    }
    to_bytes(planes[i]);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t plane = 0; plane < 4; ++plane) {
      _mm512_storeu_si512(table + plane * 64 + i * 16,
                          _mm512_permutexvar_epi32(order, planes[i][plane]));
    }
  }
}

// Looks up the four bytes of the entries of 64 rows, and puts them together: vector i of `sums` has
// rows 16L+4i+j in lane 4L+j, or rows 16i+4L+j if the codes are interleaved.
template <bool kInterleaved>
void sweep_floats(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                  std::size_t n_tiles, const float* tables, float* sums) {
  for (std::size_t quad = 0; quad < n_quads; ++quad, codes += quad_stride) {
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::uint8_t* at = codes + tile * kTileBytes;
      float* tile_sums = sums + tile * kTileRows;
      __m512i code[kQuadBytes];
      __m512 sum[4];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        prefetch(at + i * 64);
        code[i] = _mm512_loadu_si512(at + i * 64);
        sum[i] = _mm512_loadu_ps(tile_sums + i * 16);
      }
      if constexpr (kInterleaved) to_bytes(code);
#pragma GCC unroll 4
      for (std::size_t b = 0; b < kQuadBytes; ++b) {
        const float* table = tables + (quad * kQuadBytes + b) * kWideCentroids;
        const __mmask64 bit7 = _mm512_movepi8_mask(code[b]);
        __m512i byte[4];
#pragma GCC unroll 4
        for (std::size_t plane = 0; plane < 4; ++plane) {
          const auto part = [&](std::size_t i) {
            return _mm512_loadu_si512(table + plane * 64 + i * 16);
          };
          byte[plane] =
              _mm512_mask_blend_epi8(bit7, _mm512_permutex2var_epi8(part(0), code[b], part(1)),
                                     _mm512_permutex2var_epi8(part(2), code[b], part(3)));
        }
        const __m512i low01 = _mm512_unpacklo_epi8(byte[0], byte[1]),
                      low23 = _mm512_unpacklo_epi8(byte[2], byte[3]),
                      high01 = _mm512_unpackhi_epi8(byte[0], byte[1]),
                      high23 = _mm512_unpackhi_epi8(byte[2], byte[3]);
        sum[0] = _mm512_add_ps(sum[0], _mm512_castsi512_ps(_mm512_unpacklo_epi16(low01, low23)));
        sum[1] = _mm512_add_ps(sum[1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(low01, low23)));
        sum[2] = _mm512_add_ps(sum[2], _mm512_castsi512_ps(_mm512_unpacklo_epi16(high01, high23)));
        sum[3] = _mm512_add_ps(sum[3], _mm512_castsi512_ps(_mm512_unpackhi_epi16(high01, high23)));
      }
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) _mm512_storeu_ps(tile_sums + i * 16, sum[i]);
    }
  }
}

void order_floats(const float* sums, float* rows) {
  for (std::size_t i = 0; i < kTileRows; i += 4) {
    std::memcpy(rows + i, sums + i / 4 % 4 * 16 + i / 16 * 4, 4 * sizeof(float));
  }
}

}  // namespace

const LookupKernels lookup_avx512vbmi = {
    .name = "avx512vbmi",
    .wide_lanes = Lanes::kLanes,
    .narrow_lanes = HalfLanes::kLanes,
    .interleaved_narrow = true,
    .wide_high = {.quad_table_bytes = 2048,
                  .build = build_planes<Lanes, Lanes, 256>,
                  .sweep = sweep_bytes<Lanes, Entries::k16Bits, Codes::kWide, WideQuad>,
                  .order = order_parts<Lanes>,
                  .cycles = {.sweep_per_tile_byte = 11.7f, .build_per_entry = 0.3f}},
    .wide_fast = {.quad_table_bytes = 1024,
                  .build = build_bytes<Lanes, Lanes, 256>,
                  .sweep = sweep_bytes<Lanes, Entries::k8Bits, Codes::kWide, WideQuad>,
                  .order = order_parts<Lanes>,
                  .cycles = {.sweep_per_tile_byte = 6.7f, .build_per_entry = 0.4f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_planes<HalfLanes, Lanes, 16>,
                    .sweep = sweep_narrow<Entries::k16Bits>,
                    .order = keep_order,
                    .cycles = {.sweep_per_tile_byte = 6.2f, .build_per_entry = 0.6f}},
    .narrow_fast = {.quad_table_bytes = 128,
                    .build = build_bytes<HalfLanes, Lanes, 16>,
                    .sweep = sweep_narrow<Entries::k8Bits>,
                    .order = keep_order,
                    .cycles = {.sweep_per_tile_byte = 4.0f, .build_per_entry = 0.6f}},
    .few_fast = batch_lookup<HalfLanes, 1, Lanes>(
        {.build_per_vector_pair = 1.2f, .sweep_per_code = 1.3f, .flush_per_row = 6.0f}),
    .many_fast = batch_lookup<Lanes, 1>(
        {.build_per_vector_pair = 1.6f, .sweep_per_code = 2.0f, .flush_per_row = 12.0f}),
    .wide_floats = {.arrange = arrange_floats,
                    .sweep = sweep_floats<false>,
                    .order = order_floats,
                    .cycles = {.sweep_per_tile_byte = 15.0f, .arrange_per_entry = 0.2f}},
    .narrow_floats = {.arrange = arrange_floats,
                      .sweep = sweep_floats<true>,
                      .order = keep_order,
                      .cycles = {.sweep_per_tile_byte = 15.0f, .arrange_per_entry = 0.2f}}};

}  // namespace pqw::kernels
