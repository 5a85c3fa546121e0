// The functions of BLAS and LAPACK that FAISS is linked with.
#pragma once

namespace pqw {

// Does nothing. A call makes the linker include these functions in a program.
void link_faiss_symbols();

}  // namespace pqw
