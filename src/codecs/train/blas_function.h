// Looks up a function of OpenBLAS by name, for callers that declare its type themselves.
#pragma once

namespace pqw::linear_algebra {

// Errors: those of blas() (codecs/train/blas.h); kIo when OpenBLAS has no such function.
void* blas_function(const char* name);

}  // namespace pqw::linear_algebra
