// Multiplying from codes with floats, with AVX-512 F.
#include "kernels/product_loops.h"

namespace pqw::kernels {

const ProductKernels product_avx512 = product_kernels<Floats16, 8, 3>({.build_per_vector = 0.55f,
                                                                       .sweep_per_code = 2.0f,
                                                                       .sweep_row_per_code = 1.0f,
                                                                       .decoded_per_vector = 0.52f,
                                                                       .bfloat16_per_vector = 0});

}  // namespace pqw::kernels
