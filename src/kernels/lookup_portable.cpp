// Multiplying from codes, on any processor. These loops are the specification of the others.
#include "kernels/lookup_batch.h"
#include "kernels/lookup_scalar.h"
#include "kernels/lookup_words.h"

namespace pqw::kernels {
namespace {

struct Lanes : Vectors<16> {
  static Integers add_dot(Integers sum, Integers a, Integers b) {
    const Integers low = (a << 16 >> 16) * (b << 16 >> 16), high = (a >> 16) * (b >> 16);
    return as<Integers>(as<Numbers>(sum) + as<Numbers>(low) + as<Numbers>(high));
  }
  static Integers high_halves(Integers even, Integers odd) {
    const Numbers high = as<Numbers>(even) >> 16;
    return as<Integers>(high | (as<Numbers>(odd) & 0xffff0000u));
  }
  static Integers widened(const std::uint16_t* words) {
    return __builtin_convertvector(load<LaneShorts>(words), Integers);
  }
  static Shorts scaled(Shorts a, Shorts b) {
    for (std::size_t i = 0; i < 2 * kLanes; ++i) {
      a[i] = static_cast<std::int16_t>(((a[i] * b[i] >> 14) + 1) >> 1);
    }
    return a;
  }
};

static_assert(TableWords<Lanes> && Widening<Lanes>);

}  // namespace

const LookupKernels lookup_portable = {
    .name = "portable",
    .wide_lanes = Lanes::kLanes,
    .narrow_lanes = Lanes::kLanes,
    .interleaved_narrow = false,
    .wide_high = {.quad_table_bytes = 4096,
                  .build = build_high_integers<Lanes, 256>,
                  .sweep = sweep_integers<Lanes>,
                  .order = keep_order,
                  .cycles = {.sweep_per_tile_byte = 45.0f, .build_per_entry = 11.0f}},
    .wide_fast = {.quad_table_bytes = 4096,
                  .build = build_fast_integers<Lanes, 256>,
                  .sweep = sweep_integers<Lanes>,
                  .order = keep_order,
                  .cycles = {.sweep_per_tile_byte = 45.0f, .build_per_entry = 7.0f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_high_words<Lanes, 16>,
                    .sweep = sweep_narrow_words<Entries::k16Bits>,
                    .order = keep_order,
                    .cycles = {.sweep_per_tile_byte = 98.0f, .build_per_entry = 6.5f}},
    .narrow_fast = {.quad_table_bytes = 256,
                    .build = build_fast_words<Lanes, 16>,
                    .sweep = sweep_narrow_words<Entries::k8Bits>,
                    .order = keep_order,
                    .cycles = {.sweep_per_tile_byte = 98.0f, .build_per_entry = 4.0f}},
    .few_fast = batch_lookup<Lanes, 2>(
        {.build_per_vector_pair = 13.0f, .sweep_per_code = 1.6f, .flush_per_row = 15.0f}),
    .many_fast = batch_lookup<Lanes, 2>(
        {.build_per_vector_pair = 13.0f, .sweep_per_code = 1.6f, .flush_per_row = 15.0f}),
    .wide_floats = float_lookup(50.0f),
    .narrow_floats = float_lookup(50.0f)};

}  // namespace pqw::kernels
