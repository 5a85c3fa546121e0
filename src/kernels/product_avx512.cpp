// Multiplying from codes with floats, with AVX-512 F.
#include "kernels/product_avx512_vectors.h"

namespace pqw::kernels {

const ProductKernels product_avx512 = product_kernels;

}  // namespace pqw::kernels
