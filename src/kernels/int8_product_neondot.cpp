// Products of bytes with the dot products of NEON: udot adds four of them to each of four sums.
#include "kernels/int8_product_neon.h"

namespace pqw::kernels {
namespace {

struct Dot {
  static constexpr std::size_t kX = 4;
  using Sum = uint32x4_t;
  static void add(Sum& sum, uint8x16_t x, uint8x16_t w) { sum = vdotq_u32(sum, x, w); }
  static uint32x4_t total(Sum sum) { return sum; }
};

}  // namespace

void int8_product_neondot(const Int8Operands& operands, std::int32_t* sums) {
  int8_product<Dot>(operands, sums);
}

}  // namespace pqw::kernels
