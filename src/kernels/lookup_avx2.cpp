// Multiplying from codes with AVX2.
#include <immintrin.h>

#include "kernels/lookup_batch.h"
#include "kernels/lookup_bytes.h"
#include "kernels/lookup_words.h"

namespace pqw::kernels {
namespace {

struct Lanes {
  static constexpr std::size_t kLanes = 8;

  __m256i raw;

  static Lanes set(std::int32_t value) { return {_mm256_set1_epi32(value)}; }
  static Lanes load(const std::int16_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
  void store(std::uint16_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), raw); }
  static Lanes add_dot(Lanes sum, Lanes a, Lanes b) {
    return {_mm256_add_epi32(sum.raw, _mm256_madd_epi16(a.raw, b.raw))};
  }
  static Lanes high_halves(Lanes even, Lanes odd) {
    return {_mm256_blend_epi16(_mm256_srli_epi32(even.raw, 16), odd.raw, 0xaa)};
  }
  void store(std::uint8_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), raw); }
  static Lanes load_words(const std::uint16_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
  static Lanes abs_words(Lanes a) { return {_mm256_abs_epi16(a.raw)}; }
  static Lanes max_words(Lanes a, Lanes b) { return {_mm256_max_epi16(a.raw, b.raw)}; }
  static Lanes add_words(Lanes a, Lanes b) { return {_mm256_add_epi16(a.raw, b.raw)}; }
  static void add_scaled_words(Lanes a, const float* scales, float* totals) {
    const __m128i halves[2] = {_mm256_castsi256_si128(a.raw), _mm256_extracti128_si256(a.raw, 1)};
    for (std::size_t i = 0; i < 2; ++i) {
      const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(halves[i]));
      const __m256 products = _mm256_mul_ps(values, _mm256_loadu_ps(scales + 8 * i));
      _mm256_storeu_ps(totals + 8 * i, _mm256_add_ps(_mm256_loadu_ps(totals + 8 * i), products));
    }
  }
  static Lanes scaled_words(Lanes a, Lanes b) { return {_mm256_mulhrs_epi16(a.raw, b.raw)}; }
  static Lanes low_bytes(Lanes a, Lanes b) {
    const __m256i byte = _mm256_set1_epi16(0xff);
    return in_order(
        _mm256_packus_epi16(_mm256_and_si256(a.raw, byte), _mm256_and_si256(b.raw, byte)));
  }
  static Lanes high_bytes(Lanes a, Lanes b) {
    return in_order(_mm256_packus_epi16(_mm256_srli_epi16(a.raw, 8), _mm256_srli_epi16(b.raw, 8)));
  }

 private:
  // The order of words after a pack, which works on halves of the register.
  static Lanes in_order(__m256i packed) { return {_mm256_permute4x64_epi64(packed, 0xd8)}; }
};

struct Vectors {
  static constexpr std::size_t kBytes = 32;
  using Bytes __attribute__((vector_size(kBytes))) = std::uint8_t;
  using Words __attribute__((vector_size(kBytes))) = std::uint16_t;
  using Numbers __attribute__((vector_size(kBytes))) = std::uint32_t;
  using Integers __attribute__((vector_size(kBytes))) = std::int32_t;
  using Floats = Floats8;

  static Bytes shuffle(const std::uint8_t* table, Bytes index) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return reinterpret_cast<Bytes>(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries),
                                                       reinterpret_cast<__m256i>(index)));
  }
};
using Bytes = Vectors::Bytes;

static_assert(TableBytes<Lanes> && BatchLanes<Lanes> && LookupBytes<Vectors>);

// 8-bit entries of wide codes: the low four bits choose in 16 tables of 16 bytes, the high ones
// among the results.
template <LookupBytes V, Entries kEntries>
struct WideQuad {
  static constexpr std::size_t kTableBytes = kQuadBytes * kWideCentroids;

  // The entry of tables first .. first+count-1. shifted[i] has bit 4+i of the code at the top.
  template <std::size_t kCount>
  static __m256i choose(const std::uint8_t* tables, Bytes low, const __m256i* shifted) {
    if constexpr (kCount == 1) {
      return reinterpret_cast<__m256i>(V::shuffle(tables, low));
    } else {
      constexpr std::size_t kHalf = kCount / 2;
      constexpr std::size_t kBit = kCount == 2 ? 0 : kCount == 4 ? 1 : kCount == 8 ? 2 : 3;
      return _mm256_blendv_epi8(choose<kHalf>(tables, low, shifted),
                                choose<kHalf>(tables + kHalf * 16, low, shifted), shifted[kBit]);
    }
  }

  static void add(const std::uint8_t* codes, const std::uint8_t* tables,
                  ByteSums<V, kEntries>& sums) {
    for (std::size_t b = 0; b < kQuadBytes; ++b) {
      const auto bytes = load<Bytes>(codes + b * kTileRows);
      const auto code = reinterpret_cast<__m256i>(bytes);
      const __m256i shifted[4] = {_mm256_slli_epi16(code, 3), _mm256_slli_epi16(code, 2),
                                  _mm256_slli_epi16(code, 1), code};
      sums.add(
          0, reinterpret_cast<Bytes>(choose<16>(tables + b * kWideCentroids, bytes & 15, shifted)));
    }
  }
};

}  // namespace

const LookupKernels lookup_avx2 = {
    .name = "avx2",
    .wide_lanes = Lanes::kLanes,
    .narrow_lanes = Lanes::kLanes,
    .interleaved_narrow = false,
    .wide_high = {.quad_table_bytes = 2048,
                  .build = build_high_words<Lanes, 256>,
                  .sweep = sweep_words<Entries::k16Bits, Codes::kWide>,
                  .order = keep_order,
                  .cycles = {.sweep_per_tile_byte = 110.0f, .build_per_entry = 0.8f}},
    .wide_fast = {.quad_table_bytes = 1024,
                  .build = build_bytes<Lanes, Lanes, 256>,
                  .sweep = sweep_bytes<Vectors, Entries::k8Bits, Codes::kWide, WideQuad>,
                  .order = order_parts<Vectors>,
                  .cycles = {.sweep_per_tile_byte = 54.0f, .build_per_entry = 1.3f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_planes<Lanes, Lanes, 16>,
                    .sweep = sweep_bytes<Vectors, Entries::k16Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Vectors>,
                    .cycles = {.sweep_per_tile_byte = 18.5f, .build_per_entry = 0.8f}},
    .narrow_fast = {.quad_table_bytes = 128,
                    .build = build_bytes<Lanes, Lanes, 16>,
                    .sweep = sweep_bytes<Vectors, Entries::k8Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Vectors>,
                    .cycles = {.sweep_per_tile_byte = 10.0f, .build_per_entry = 1.2f}},
    .few_fast = batch_lookup<Lanes, 1>(
        {.build_per_vector_pair = 1.8f, .sweep_per_code = 1.3f, .flush_per_row = 6.0f}),
    .many_fast = batch_lookup<Lanes, 1>(
        {.build_per_vector_pair = 1.8f, .sweep_per_code = 1.3f, .flush_per_row = 6.0f})};

}  // namespace pqw::kernels
