// Multiplying from codes with floats, with AVX2 and FMA.
#include "kernels/product_loops.h"

namespace pqw::kernels {

const ProductKernels product_avx2 = product_kernels<Floats8, 4, 2>({.build_per_vector = 0.7f,
                                                                    .sweep_per_code = 1.7f,
                                                                    .sweep_row_per_code = 1.0f,
                                                                    .decoded_per_vector = 0.8f,
                                                                    .bfloat16_per_vector = 0});

}  // namespace pqw::kernels
