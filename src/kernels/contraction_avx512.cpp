// Contractions on AVX-512.
#include "kernels/contraction_loops.h"

namespace pqw::kernels {

const ContractionKernels contraction_avx512 = kContraction;

}  // namespace pqw::kernels
