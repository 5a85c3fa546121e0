// The table of inner loops in use.
#pragma once

#include "kernels/table.h"

namespace pqw {

// As kernel_name (codecs/kernels.h). Not to be called for the first time inside a parallel region:
// it may throw.
const kernels::Table& active_kernels();

}  // namespace pqw
