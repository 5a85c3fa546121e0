// Products of bytes with NEON: umull widens them to 16 bits, uadalp adds pairs of these in 32.
#include "kernels/int8_product_neon.h"

namespace pqw::kernels {
namespace {

struct Pairs {
  static constexpr std::size_t kX = 2;
  struct Sum {  // of rows 0 and 1, and of rows 2 and 3, each row in two lanes
    uint32x4_t low, high;
  };
  static void add(Sum& sum, uint8x16_t x, uint8x16_t w) {
    sum.low = vpadalq_u16(sum.low, vmull_u8(vget_low_u8(x), vget_low_u8(w)));
    sum.high = vpadalq_u16(sum.high, vmull_high_u8(x, w));
  }
  static uint32x4_t total(Sum sum) { return vpaddq_u32(sum.low, sum.high); }
};

}  // namespace

void int8_product_neon(const Int8Operands& operands, std::int32_t* sums) {
  int8_product<Pairs>(operands, sums);
}

}  // namespace pqw::kernels
