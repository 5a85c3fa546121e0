// Vectors of AVX-512 F and BW for multiplying from codes.
#pragma once

#include <immintrin.h>

#include "kernels/lookup_batch.h"
#include "kernels/lookup_bytes.h"

namespace pqw::kernels {
namespace {

struct Lanes : Vectors<64> {
  static Integers add_dot(Integers sum, Integers a, Integers b) {
#ifdef __AVX512VNNI__
    return as<Integers>(_mm512_dpwssd_epi32(as<__m512i>(sum), as<__m512i>(a), as<__m512i>(b)));
#else
    const __m512i products = _mm512_madd_epi16(as<__m512i>(a), as<__m512i>(b));
    return as<Integers>(as<Numbers>(sum) + as<Numbers>(products));
#endif
  }
  static Integers high_halves(Integers even, Integers odd) {
    const __m512i high = _mm512_srli_epi32(as<__m512i>(even), 16);
    return as<Integers>(_mm512_mask_blend_epi16(0xaaaaaaaau, high, as<__m512i>(odd)));
  }
  static Integers widened(const std::uint16_t* words) {
    return as<Integers>(
        _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words))));
  }
  static Shorts scaled(Shorts a, Shorts b) {
    return as<Shorts>(_mm512_mulhrs_epi16(as<__m512i>(a), as<__m512i>(b)));
  }
#ifdef __AVX512VBMI__
  static Bytes low_bytes(Shorts a, Shorts b) { return every_second(a, b, 0); }
  static Bytes high_bytes(Shorts a, Shorts b) { return every_second(a, b, 1); }
  static Bytes every_second(Shorts a, Shorts b, std::uint8_t first) {
    Bytes index;
    for (std::size_t i = 0; i < 64; ++i) index[i] = static_cast<std::uint8_t>(2 * i + first);
    return as<Bytes>(_mm512_permutex2var_epi8(as<__m512i>(a), as<__m512i>(index), as<__m512i>(b)));
  }
#else
  static Bytes low_bytes(Shorts a, Shorts b) { return packed(a & 0xff, b & 0xff); }
  static Bytes high_bytes(Shorts a, Shorts b) {
    return packed(as<Shorts>(as<Words>(a) >> 8), as<Shorts>(as<Words>(b) >> 8));
  }
  // A pack works on quarters of the register.
  static Bytes packed(Shorts a, Shorts b) {
    const __m512i quarters = _mm512_packus_epi16(as<__m512i>(a), as<__m512i>(b));
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return as<Bytes>(_mm512_permutexvar_epi64(order, quarters));
  }
#endif
  static Bytes shuffle(const std::uint8_t* table, Bytes index) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return as<Bytes>(_mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), as<__m512i>(index)));
  }
};

// The 16 entries of narrow tables, and the words of a few rows.
struct HalfLanes : Vectors<32> {
  static Integers add_dot(Integers sum, Integers a, Integers b) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return as<Integers>(_mm256_dpwssd_epi32(as<__m256i>(sum), as<__m256i>(a), as<__m256i>(b)));
#else
    const __m256i products = _mm256_madd_epi16(as<__m256i>(a), as<__m256i>(b));
    return as<Integers>(as<Numbers>(sum) + as<Numbers>(products));
#endif
  }
  static Integers high_halves(Integers even, Integers odd) {
    const __m256i high = _mm256_srli_epi32(as<__m256i>(even), 16);
    return as<Integers>(_mm256_blend_epi16(high, as<__m256i>(odd), 0xaa));
  }
};

static_assert(TableBytes<Lanes> && TableLanes<HalfLanes> && LookupBytes<Lanes>);

}  // namespace
}  // namespace pqw::kernels
