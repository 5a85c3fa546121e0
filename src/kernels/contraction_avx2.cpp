// Contractions on AVX2 and FMA.
#include "kernels/contraction_loops.h"

namespace pqw::kernels {

const ContractionKernels contraction_avx2 = kContraction;

}  // namespace pqw::kernels
