// Contractions on NEON.
#include "kernels/contraction_loops.h"

namespace pqw::kernels {

const ContractionKernels contraction_neon = kContraction;

}  // namespace pqw::kernels
