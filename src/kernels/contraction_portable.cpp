// Contractions on any processor.
#include "kernels/contraction_loops.h"

namespace pqw::kernels {

const ContractionKernels contraction_portable = kContraction;

}  // namespace pqw::kernels
