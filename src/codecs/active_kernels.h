// The table of inner loops in use.
#pragma once

#include "kernels/table.h"

namespace pqw {

// As kernel_name (codecs/kernels.h): an unknown PQW_KERNEL is an error of every call.
const kernels::Table& active_kernels();

}  // namespace pqw
