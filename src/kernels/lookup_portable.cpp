// Multiplying from codes, portable. These loops are also the specification of the others.
#include "kernels/lookup_words.h"

namespace pqw::kernels {
namespace {

struct Lane {
  static constexpr std::size_t kLanes = 1;

  std::int32_t raw;

  static Lane set(std::int32_t value) { return {value}; }
  // Two int16.
  static Lane load(const std::int16_t* from) {
    Lane lane;
    std::memcpy(&lane.raw, from, sizeof(lane.raw));
    return lane;
  }
  // sum + the products of the two pairs of int16
  static Lane add_dot(Lane sum, Lane a, Lane b) {
    std::int16_t x[2], y[2];
    std::memcpy(x, &a, sizeof(x));
    std::memcpy(y, &b, sizeof(y));
    return {sum.raw + (x[0] * y[0] + x[1] * y[1])};
  }
  // The high 16 bits of even and of odd, in turn.
  struct Halves {
    std::int16_t raw[2];
    void store(std::uint16_t* to) const { std::memcpy(to, raw, sizeof(raw)); }
  };
  static Halves high_halves(Lane even, Lane odd) {
    return {{static_cast<std::int16_t>(even.raw >> 16), static_cast<std::int16_t>(odd.raw >> 16)}};
  }
};

}  // namespace

const LookupKernels lookup_portable = {
    .name = "portable",
    .wide_lanes = Lane::kLanes,
    .narrow_lanes = Lane::kLanes,
    .interleaved_narrow = false,
    .wide_high = {2048, build_high_words<Lane, 256>, sweep_words<true, true>, keep_order},
    .wide_fast = {2048, build_fast_words<Lane, 256>, sweep_words<false, true>, keep_order},
    .narrow_high = {256, build_high_words<Lane, 16>, sweep_words<true, false>, keep_order},
    .narrow_fast = {256, build_fast_words<Lane, 16>, sweep_words<false, false>, keep_order}};

}  // namespace pqw::kernels
