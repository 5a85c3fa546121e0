// Multiplying from codes with AVX2.
#include <immintrin.h>

#include "kernels/lookup_batch.h"
#include "kernels/lookup_bytes.h"
#include "kernels/lookup_scalar.h"

namespace pqw::kernels {
namespace {

struct Lanes : Vectors<32> {
  static Integers add_dot(Integers sum, Integers a, Integers b) {
    const __m256i products = _mm256_madd_epi16(as<__m256i>(a), as<__m256i>(b));
    return as<Integers>(as<Numbers>(sum) + as<Numbers>(products));
  }
  static Integers high_halves(Integers even, Integers odd) {
    const __m256i high = _mm256_srli_epi32(as<__m256i>(even), 16);
    return as<Integers>(_mm256_blend_epi16(high, as<__m256i>(odd), 0xaa));
  }
  static Integers widened(const std::uint16_t* words) {
    return as<Integers>(
        _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(words))));
  }
  static Shorts scaled(Shorts a, Shorts b) {
    return as<Shorts>(_mm256_mulhrs_epi16(as<__m256i>(a), as<__m256i>(b)));
  }
  static Bytes low_bytes(Shorts a, Shorts b) { return packed(a & 0xff, b & 0xff); }
  static Bytes high_bytes(Shorts a, Shorts b) {
    return packed(as<Shorts>(as<Words>(a) >> 8), as<Shorts>(as<Words>(b) >> 8));
  }
  // A pack works on halves of the register.
  static Bytes packed(Shorts a, Shorts b) {
    const __m256i halves = _mm256_packus_epi16(as<__m256i>(a), as<__m256i>(b));
    return as<Bytes>(_mm256_permute4x64_epi64(halves, 0xd8));
  }
  static Bytes shuffle(const std::uint8_t* table, Bytes index) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return as<Bytes>(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), as<__m256i>(index)));
  }
};

static_assert(TableBytes<Lanes> && LookupBytes<Lanes>);

// 8-bit entries of wide codes: the low four bits choose in 16 tables of 16 bytes, the high ones
// among the results.
template <LookupBytes V, Entries kEntries>
struct WideQuad {
  static constexpr std::size_t kTableBytes = kQuadBytes * kWideCentroids;

  // The entry of tables first .. first+count-1. shifted[i] has bit 4+i of the code at the top.
  template <std::size_t kCount>
  static __m256i choose(const std::uint8_t* tables, Lanes::Bytes low, const __m256i* shifted) {
    if constexpr (kCount == 1) {
      return as<__m256i>(V::shuffle(tables, low));
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
      const auto bytes = load<Lanes::Bytes>(codes + b * kTileRows);
      const auto code = as<__m256i>(bytes);
      const __m256i shifted[4] = {_mm256_slli_epi16(code, 3), _mm256_slli_epi16(code, 2),
                                  _mm256_slli_epi16(code, 1), code};
      sums.add(0, as<Lanes::Bytes>(choose<16>(tables + b * kWideCentroids, bytes & 15, shifted)));
    }
  }
};

}  // namespace

const LookupKernels lookup_avx2 = {
    .name = "avx2",
    .wide_lanes = Lanes::kLanes,
    .narrow_lanes = Lanes::kLanes,
    .interleaved_narrow = false,
    .wide_high = {.quad_table_bytes = 4096,
                  .build = build_high_integers<Lanes, 256>,
                  .sweep = sweep_integers<Lanes>,
                  .order = keep_order,
                  .cycles = {.sweep_per_tile_byte = 45.0f, .build_per_entry = 0.8f}},
    .wide_fast = {.quad_table_bytes = 1024,
                  .build = build_bytes<Lanes, Lanes, 256>,
                  .sweep = sweep_bytes<Lanes, Entries::k8Bits, Codes::kWide, WideQuad>,
                  .order = order_parts<Lanes>,
                  .cycles = {.sweep_per_tile_byte = 54.0f, .build_per_entry = 1.3f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_planes<Lanes, Lanes, 16>,
                    .sweep = sweep_bytes<Lanes, Entries::k16Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Lanes>,
                    .cycles = {.sweep_per_tile_byte = 18.5f, .build_per_entry = 0.8f}},
    .narrow_fast = {.quad_table_bytes = 128,
                    .build = build_bytes<Lanes, Lanes, 16>,
                    .sweep = sweep_bytes<Lanes, Entries::k8Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Lanes>,
                    .cycles = {.sweep_per_tile_byte = 10.0f, .build_per_entry = 1.2f}},
    .few_fast = batch_lookup<Lanes, 1>(
        {.build_per_vector_pair = 1.8f, .sweep_per_code = 1.3f, .flush_per_row = 6.0f}),
    .many_fast = batch_lookup<Lanes, 1>(
        {.build_per_vector_pair = 1.8f, .sweep_per_code = 1.3f, .flush_per_row = 6.0f}),
    .wide_floats = float_lookup(50.0f),
    .narrow_floats = float_lookup(50.0f)};

}  // namespace pqw::kernels
