// Vectors of AVX-512 F and BW for multiplying from codes.
#pragma once

#include <immintrin.h>

#include "kernels/lookup_batch.h"
#include "kernels/lookup_bytes.h"

namespace pqw::kernels {
namespace {

struct Lanes {
  static constexpr std::size_t kLanes = 16;

  __m512i raw;

  static Lanes set(std::int32_t value) { return {_mm512_set1_epi32(value)}; }
  static Lanes load(const std::int16_t* from) { return {_mm512_loadu_si512(from)}; }
  void store(std::uint16_t* to) const { _mm512_storeu_si512(to, raw); }
  static Lanes add_dot(Lanes sum, Lanes a, Lanes b) {
#ifdef __AVX512VNNI__
    return {_mm512_dpwssd_epi32(sum.raw, a.raw, b.raw)};
#else
    return {_mm512_add_epi32(sum.raw, _mm512_madd_epi16(a.raw, b.raw))};
#endif
  }
  static Lanes high_halves(Lanes even, Lanes odd) {
    return {_mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(even.raw, 16), odd.raw)};
  }
  void store(std::uint8_t* to) const { _mm512_storeu_si512(to, raw); }
  static Lanes load_words(const std::uint16_t* from) { return {_mm512_loadu_si512(from)}; }
  static Lanes abs_words(Lanes a) { return {_mm512_abs_epi16(a.raw)}; }
  static Lanes max_words(Lanes a, Lanes b) { return {_mm512_max_epi16(a.raw, b.raw)}; }
  static Lanes add_words(Lanes a, Lanes b) { return {_mm512_add_epi16(a.raw, b.raw)}; }
  static void add_scaled_words(Lanes a, const float* scales, float* totals) {
    add_scaled_half(_mm512_castsi512_si256(a.raw), scales, totals);
    add_scaled_half(_mm512_extracti64x4_epi64(a.raw, 1), scales + 16, totals + 16);
  }
  static Lanes scaled_words(Lanes a, Lanes b) { return {_mm512_mulhrs_epi16(a.raw, b.raw)}; }
  static Lanes low_bytes(Lanes a, Lanes b) {
    const __m512i byte = _mm512_set1_epi16(0xff);
    return in_order(
        _mm512_packus_epi16(_mm512_and_si512(a.raw, byte), _mm512_and_si512(b.raw, byte)));
  }
  static Lanes high_bytes(Lanes a, Lanes b) {
    return in_order(_mm512_packus_epi16(_mm512_srli_epi16(a.raw, 8), _mm512_srli_epi16(b.raw, 8)));
  }

 private:
  // The order of words after a pack, which works on quarters of the register.
  static Lanes in_order(__m512i packed) {
    return {_mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed)};
  }
  friend struct HalfLanes;
  static void add_scaled_half(__m256i words, const float* scales, float* totals) {
    const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(words));
    const __m512 products = _mm512_mul_ps(values, _mm512_loadu_ps(scales));
    _mm512_storeu_ps(totals, _mm512_add_ps(_mm512_loadu_ps(totals), products));
  }
};

// The 16 entries of narrow tables, and the words of a few rows.
struct HalfLanes {
  static constexpr std::size_t kLanes = 8;

  __m256i raw;

  static HalfLanes set(std::int32_t value) { return {_mm256_set1_epi32(value)}; }
  static HalfLanes load(const std::int16_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
  void store(std::uint16_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), raw); }
  static HalfLanes add_dot(HalfLanes sum, HalfLanes a, HalfLanes b) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return {_mm256_dpwssd_epi32(sum.raw, a.raw, b.raw)};
#else
    return {_mm256_add_epi32(sum.raw, _mm256_madd_epi16(a.raw, b.raw))};
#endif
  }
  static HalfLanes high_halves(HalfLanes even, HalfLanes odd) {
    return {_mm256_blend_epi16(_mm256_srli_epi32(even.raw, 16), odd.raw, 0xaa)};
  }
  static HalfLanes load_words(const std::uint16_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
  static HalfLanes add_words(HalfLanes a, HalfLanes b) { return {_mm256_add_epi16(a.raw, b.raw)}; }
  static void add_scaled_words(HalfLanes a, const float* scales, float* totals) {
    Lanes::add_scaled_half(a.raw, scales, totals);
  }
};

struct Vectors {
  static constexpr std::size_t kBytes = 64;
  using Bytes __attribute__((vector_size(kBytes))) = std::uint8_t;
  using Words __attribute__((vector_size(kBytes))) = std::uint16_t;
  using Numbers __attribute__((vector_size(kBytes))) = std::uint32_t;
  using Integers __attribute__((vector_size(kBytes))) = std::int32_t;
  using Floats = Floats16;

  static Bytes shuffle(const std::uint8_t* table, Bytes index) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return reinterpret_cast<Bytes>(
        _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), reinterpret_cast<__m512i>(index)));
  }
};
using Numbers = Vectors::Numbers;

static_assert(TableBytes<Lanes> && BatchLanes<Lanes> && LookupBytes<Vectors>);
static_assert(TableLanes<HalfLanes> && BatchLanes<HalfLanes>);

}  // namespace
}  // namespace pqw::kernels
