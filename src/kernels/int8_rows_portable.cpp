// Rows to integers on any processor.
#include "kernels/int8_rows_loops.h"

namespace pqw::kernels {

const Int8RowKernels int8_rows_portable = kInt8Rows;

}  // namespace pqw::kernels
