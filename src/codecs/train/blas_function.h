// A function of OpenBLAS by its name, for callers that declare it themselves.
#pragma once

namespace pqw::linear_algebra {

// Errors: those of blas() (codecs/blas.h); kIo when OpenBLAS has no such function.
void* blas_function(const char* name);

}  // namespace pqw::linear_algebra
