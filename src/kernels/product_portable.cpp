// Multiplying from codes with floats, on any processor.
#include "kernels/product_loops.h"

namespace pqw::kernels {

const ProductKernels product_portable = product_kernels<Floats4, 4, 2>({.build_per_vector = 1.2f,
                                                                        .sweep_per_code = 1.6f,
                                                                        .sweep_row_per_code = 1.0f,
                                                                        .decoded_per_vector = 1.4f,
                                                                        .bfloat16_per_vector = 0});

}  // namespace pqw::kernels
