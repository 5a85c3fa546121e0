// Defines the functions of BLAS and LAPACK that FAISS is linked with. Each loads OpenBLAS when it
// is called. Training a codebook does not call them (faiss_trainer.cpp).
#include "codecs/pq/train/faiss_symbols.h"

#include "codecs/train/blas_function.h"

namespace pqw {

void link_faiss_symbols() {}

}  // namespace pqw

// In Fortran every argument is an address.
#define PQW_PARAMETERS_8 void *a, void *b, void *c, void *d, void *e, void *f, void *g, void *h
#define PQW_PARAMETERS_9 PQW_PARAMETERS_8, void *i
#define PQW_PARAMETERS_10 PQW_PARAMETERS_9, void *j
#define PQW_PARAMETERS_13 PQW_PARAMETERS_10, void *k, void *l, void *m
#define PQW_PARAMETERS_14 PQW_PARAMETERS_13, void *n
#define PQW_ARGUMENTS_8 a, b, c, d, e, f, g, h
#define PQW_ARGUMENTS_9 PQW_ARGUMENTS_8, i
#define PQW_ARGUMENTS_10 PQW_ARGUMENTS_9, j
#define PQW_ARGUMENTS_13 PQW_ARGUMENTS_10, k, l, m
#define PQW_ARGUMENTS_14 PQW_ARGUMENTS_13, n

// Hidden, so that a program keeps its own versions of these functions for its own calls.
#define PQW_FORWARD(name, count)                                                 \
  extern "C" [[gnu::visibility("hidden")]] int name(PQW_PARAMETERS_##count) {    \
    using Function = int(PQW_PARAMETERS_##count);                                \
    static auto *const function =                                                \
        reinterpret_cast<Function *>(pqw::linear_algebra::blas_function(#name)); \
    return function(PQW_ARGUMENTS_##count);                                      \
  }

PQW_FORWARD(dgemm_, 13)
PQW_FORWARD(dgesvd_, 14)
PQW_FORWARD(dsyev_, 9)
PQW_FORWARD(sgemm_, 13)
PQW_FORWARD(sgeqrf_, 8)
PQW_FORWARD(sgesvd_, 14)
PQW_FORWARD(sorgqr_, 9)
PQW_FORWARD(ssyrk_, 10)
