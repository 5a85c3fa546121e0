// Rows to integers on AVX2.
#include "kernels/int8_rows_loops.h"

namespace pqw::kernels {

const Int8RowKernels int8_rows_avx2 = kInt8Rows;

}  // namespace pqw::kernels
