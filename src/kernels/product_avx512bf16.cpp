// Multiplying from codes with floats and with bfloat16, with AVX-512 F and BF16.
#include "kernels/product_avx512_vectors.h"

namespace pqw::kernels {
namespace {

// The sums are floats; the factors are pairs of bfloat16 in their bits.
struct Pairs : Floats {
  Pairs() = default;
  Pairs(Floats floats) : Floats(floats) {}

  static Pairs add_product(Floats sum, Floats a, Floats b) {
    return Floats{_mm512_dpbf16_ps(sum.raw, reinterpret_cast<__m512bh>(a.raw),
                                   reinterpret_cast<__m512bh>(b.raw))};
  }
};

static_assert(DecodeFloats<Pairs>);

constexpr ProductKernels with_bfloat16() {
  ProductKernels kernels = product_kernels;
  kernels.multiply_decoded_bfloat16 = multiply_decoded<Pairs>;
  kernels.cycles.bfloat16_per_vector = 2.3f;
  return kernels;
}

}  // namespace

const ProductKernels product_avx512bf16 = with_bfloat16();

}  // namespace pqw::kernels
