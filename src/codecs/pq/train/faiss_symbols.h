// The functions of BLAS and LAPACK that FAISS is linked with.
#pragma once

namespace pqw {

// Does nothing but make a program contain them.
void link_faiss_symbols();

}  // namespace pqw
