// Rows to integers on AVX-512.
#include "kernels/int8_rows_loops.h"

namespace pqw::kernels {

const Int8RowKernels int8_rows_avx512 = kInt8Rows;

}  // namespace pqw::kernels
