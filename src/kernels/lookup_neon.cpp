// Multiplying from codes with NEON.
#include <arm_neon.h>

#include "kernels/lookup_batch.h"
#include "kernels/lookup_bytes.h"
#include "kernels/lookup_scalar.h"

namespace pqw::kernels {
namespace {

struct Lanes : Vectors<16> {
  static Integers add_dot(Integers sum, Integers a, Integers b) {
    const auto x = as<int16x8_t>(a), c = as<int16x8_t>(b);
    const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(c));
    const int32x4_t high = vmull_high_s16(x, c);
    return as<Integers>(as<Numbers>(sum) + as<Numbers>(vpaddq_s32(low, high)));
  }
  static Integers high_halves(Integers even, Integers odd) {
    return as<Integers>(vtrn2q_s16(as<int16x8_t>(even), as<int16x8_t>(odd)));
  }
  static Integers widened(const std::uint16_t* words) {
    return as<Integers>(vmovl_s16(as<int16x4_t>(load<LaneShorts>(words))));
  }
  static Shorts scaled(Shorts a, Shorts b) {
    return as<Shorts>(vqrdmulhq_s16(as<int16x8_t>(a), as<int16x8_t>(b)));
  }
  static Bytes low_bytes(Shorts a, Shorts b) {
    return as<Bytes>(vuzp1q_u8(as<uint8x16_t>(a), as<uint8x16_t>(b)));
  }
  static Bytes high_bytes(Shorts a, Shorts b) {
    return as<Bytes>(vuzp2q_u8(as<uint8x16_t>(a), as<uint8x16_t>(b)));
  }
  static Bytes shuffle(const std::uint8_t* table, Bytes index) {
    return as<Bytes>(vqtbl1q_u8(vld1q_u8(table), as<uint8x16_t>(index)));
  }
};

static_assert(TableBytes<Lanes> && LookupBytes<Lanes>);

// Adds the entries of a plane of a table of wide codes, for the codes of a byte of all tiles. The
// table, in quarters that are quarter_bytes apart, stays in 16 registers. Sums of 16 rows are
// sums_bytes apart.
void add_table(const std::uint8_t* codes, std::size_t n_tiles, const std::uint8_t* table,
               std::size_t quarter_bytes, std::uint8_t* sums, std::size_t sums_bytes) {
  using Words = Lanes::Words;
  const uint8x16x4_t first = vld1q_u8_x4(table), second = vld1q_u8_x4(table + quarter_bytes),
                     third = vld1q_u8_x4(table + 2 * quarter_bytes),
                     fourth = vld1q_u8_x4(table + 3 * quarter_bytes);
  const uint8x16_t quarter = vdupq_n_u8(64);
  for (std::size_t tile = 0; tile < n_tiles; ++tile, codes += kTileBytes) {
    prefetch(codes);
#pragma GCC unroll 4
    for (std::size_t part = 0; part < kTileRows; part += Lanes::kBytes, sums += sums_bytes) {
      // A code outside a quarter is 64 or more after the subtractions, and changes nothing.
      uint8x16_t code = vld1q_u8(codes + part);
      uint8x16_t bytes = vqtbl4q_u8(first, code);
      code = vsubq_u8(code, quarter);
      bytes = vqtbx4q_u8(bytes, second, code);
      code = vsubq_u8(code, quarter);
      bytes = vqtbx4q_u8(bytes, third, code);
      code = vsubq_u8(code, quarter);
      const auto entries = as<Words>(vqtbx4q_u8(bytes, fourth, code));
      store(load<Words>(sums) + entries, sums);
      store(load<Words>(sums + Lanes::kBytes) + (entries >> 8), sums + Lanes::kBytes);
    }
  }
}

template <Entries kEntries>
void sweep_wide(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                std::size_t n_tiles, const std::uint8_t* tables, float scale, std::uint8_t* scratch,
                float* sums) {
  using Sums = ByteSums<Lanes, kEntries>;
  std::memset(scratch, 0, n_tiles * Sums::kParts * sizeof(Sums));
  for (std::size_t quad = 0; quad < n_quads; ++quad) {
    for (std::size_t b = 0; b < kQuadBytes; ++b) {
      for (std::size_t plane = 0; plane < Sums::kPlanes; ++plane) {
        add_table(codes + quad * quad_stride + b * kTileRows, n_tiles, tables + plane * 64,
                  Sums::kPlanes * 64, scratch + plane * 2 * Lanes::kBytes, sizeof(Sums));
      }
      tables += Sums::kPlanes * kWideCentroids;
    }
  }
  add_group<Lanes, kEntries>(scratch, n_tiles, offset_of<kEntries, Codes::kWide>(n_quads), scale,
                             sums);
}

}  // namespace

// The cycles are estimates: three instructions a cycle, two cycles for a lookup in four registers.
const LookupKernels lookup_neon = {
    .name = "neon",
    .wide_lanes = Lanes::kLanes,
    .narrow_lanes = Lanes::kLanes,
    .interleaved_narrow = false,
    .wide_high = {.quad_table_bytes = 2048,
                  .build = build_planes<Lanes, Lanes, 256>,
                  .sweep = sweep_wide<Entries::k16Bits>,
                  .order = order_parts<Lanes>,
                  .cycles = {.sweep_per_tile_byte = 64.0f, .build_per_entry = 2.2f}},
    .wide_fast = {.quad_table_bytes = 1024,
                  .build = build_bytes<Lanes, Lanes, 256>,
                  .sweep = sweep_wide<Entries::k8Bits>,
                  .order = order_parts<Lanes>,
                  .cycles = {.sweep_per_tile_byte = 32.0f, .build_per_entry = 2.4f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_planes<Lanes, Lanes, 16>,
                    .sweep = sweep_bytes<Lanes, Entries::k16Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Lanes>,
                    .cycles = {.sweep_per_tile_byte = 29.0f, .build_per_entry = 2.2f}},
    .narrow_fast = {.quad_table_bytes = 128,
                    .build = build_bytes<Lanes, Lanes, 16>,
                    .sweep = sweep_bytes<Lanes, Entries::k8Bits, Codes::kNarrow, NarrowQuad>,
                    .order = order_parts<Lanes>,
                    .cycles = {.sweep_per_tile_byte = 18.0f, .build_per_entry = 2.4f}},
    .few_fast = batch_lookup<Lanes, 2>(
        {.build_per_vector_pair = 3.6f, .sweep_per_code = 3.0f, .flush_per_row = 13.0f}),
    .many_fast = batch_lookup<Lanes, 2>(
        {.build_per_vector_pair = 3.6f, .sweep_per_code = 3.0f, .flush_per_row = 13.0f}),
    .wide_floats = float_lookup(85.0f),
    .narrow_floats = float_lookup(85.0f)};

}  // namespace pqw::kernels
