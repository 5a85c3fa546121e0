// Multiplying from codes with floats and with bfloat16, with AVX-512 F and BF16.
#include <immintrin.h>

#include "kernels/product_loops.h"

namespace pqw::kernels {
namespace {

// The sum is of floats; the factors are pairs of bfloat16 in their bits.
inline Floats16 add_pairs(Floats16 sum, Floats16 column, float value) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(column),
                          reinterpret_cast<__m512bh>(_mm512_set1_ps(value)));
}

constexpr ProductKernels with_bfloat16() {
  ProductKernels kernels = product_kernels<Floats16, 8, 3>({.build_per_vector = 0.55f,
                                                            .sweep_per_code = 2.0f,
                                                            .sweep_row_per_code = 1.0f,
                                                            .decoded_per_vector = 0.52f,
                                                            .bfloat16_per_vector = 2.3f});
  kernels.multiply_decoded_bfloat16 = multiply_decoded<Floats16, add_pairs, 8, 3>;
  return kernels;
}

}  // namespace

const ProductKernels product_avx512bf16 = with_bfloat16();

}  // namespace pqw::kernels
