// Multiplying from codes, on any processor. These loops are the specification of the others.
#include "kernels/lookup_batch.h"
#include "kernels/lookup_words.h"

namespace pqw::kernels {
namespace {

struct Lane {
  static constexpr std::size_t kLanes = 1;

  std::int32_t raw;

  static Lane set(std::int32_t value) { return {value}; }
  static Lane load(const std::int16_t* from) {
    Lane lane;
    std::memcpy(&lane.raw, from, sizeof(lane.raw));
    return lane;
  }
  static Lane add_dot(Lane sum, Lane a, Lane b) {
    std::int16_t x[2], y[2];
    std::memcpy(x, &a, sizeof(x));
    std::memcpy(y, &b, sizeof(y));
    return {static_cast<std::int32_t>(static_cast<std::uint32_t>(sum.raw) +
                                      static_cast<std::uint32_t>(x[0] * y[0] + x[1] * y[1]))};
  }
  static Lane high_halves(Lane even, Lane odd) {
    return {static_cast<std::int32_t>((static_cast<std::uint32_t>(even.raw) >> 16) |
                                      (static_cast<std::uint32_t>(odd.raw) & 0xffff0000u))};
  }
  void store(std::uint16_t* to) const { std::memcpy(to, &raw, sizeof(raw)); }
  static Lane load_words(const std::uint16_t* from) {
    Lane lane;
    std::memcpy(&lane.raw, from, sizeof(lane.raw));
    return lane;
  }
  template <class F>
  static Lane of_words(Lane a, Lane b, const F& f) {
    std::int16_t x[2], y[2];
    std::memcpy(x, &a, sizeof(x));
    std::memcpy(y, &b, sizeof(y));
    for (std::size_t i = 0; i < 2; ++i) x[i] = static_cast<std::int16_t>(f(x[i], y[i]));
    std::memcpy(&a, x, sizeof(x));
    return a;
  }
  static Lane abs_words(Lane a) {
    return of_words(a, a, [](int x, int) { return x < 0 ? -x : x; });
  }
  static Lane max_words(Lane a, Lane b) {
    return of_words(a, b, [](int x, int y) { return x > y ? x : y; });
  }
  static Lane add_words(Lane a, Lane b) {
    return of_words(a, b, [](int x, int y) { return x + y; });
  }
  static void add_scaled_words(Lane a, const float* scales, float* totals) {
    std::int16_t words[2];
    std::memcpy(words, &a, sizeof(words));
    for (std::size_t i = 0; i < 2; ++i) totals[i] += static_cast<float>(words[i]) * scales[i];
  }
  static Lane scaled_words(Lane a, Lane b) {
    return of_words(a, b, [](int x, int y) { return ((x * y >> 14) + 1) >> 1; });
  }
};

static_assert(TableWords<Lane> && BatchLanes<Lane>);

}  // namespace

const LookupKernels lookup_portable = {
    .name = "portable",
    .wide_lanes = Lane::kLanes,
    .narrow_lanes = Lane::kLanes,
    .interleaved_narrow = false,
    .wide_high = {.quad_table_bytes = 2048,
                  .build = build_high_words<Lane, 256>,
                  .sweep = sweep_words<Entries::k16Bits, Codes::kWide>,
                  .order = keep_order,
                  .cycles = {.sweep_per_tile_byte = 90.0f, .build_per_entry = 15.0f}},
    .wide_fast = {.quad_table_bytes = 2048,
                  .build = build_fast_words<Lane, 256>,
                  .sweep = sweep_words<Entries::k8Bits, Codes::kWide>,
                  .order = keep_order,
                  .cycles = {.sweep_per_tile_byte = 90.0f, .build_per_entry = 15.0f}},
    .narrow_high = {.quad_table_bytes = 256,
                    .build = build_high_words<Lane, 16>,
                    .sweep = sweep_words<Entries::k16Bits, Codes::kNarrow>,
                    .order = keep_order,
                    .cycles = {.sweep_per_tile_byte = 98.0f, .build_per_entry = 9.0f}},
    .narrow_fast = {.quad_table_bytes = 256,
                    .build = build_fast_words<Lane, 16>,
                    .sweep = sweep_words<Entries::k8Bits, Codes::kNarrow>,
                    .order = keep_order,
                    .cycles = {.sweep_per_tile_byte = 98.0f, .build_per_entry = 9.0f}},
    .few_fast = batch_lookup<Lane, 8>(
        {.build_per_vector_pair = 4.2f, .sweep_per_code = 4.9f, .flush_per_row = 30.0f}),
    .many_fast = batch_lookup<Lane, 8>(
        {.build_per_vector_pair = 4.2f, .sweep_per_code = 4.9f, .flush_per_row = 30.0f})};

}  // namespace pqw::kernels
