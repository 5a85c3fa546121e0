// Multiplying from codes with floats, with NEON.
#include "kernels/product_loops.h"

namespace pqw::kernels {

// The cycles are estimates: three instructions a cycle.
const ProductKernels product_neon = product_kernels<Floats4, 8, 2>({.build_per_vector = 0.8f,
                                                                    .sweep_per_code = 1.5f,
                                                                    .sweep_row_per_code = 1.5f,
                                                                    .decoded_per_vector = 0.6f,
                                                                    .bfloat16_per_vector = 0});

}  // namespace pqw::kernels
