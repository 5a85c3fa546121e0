// Says which instruction set the inner loops use.
#pragma once

#include <string>
#include <vector>

namespace pqw {

// The name of the kernels in use: the best ones of this processor, or those that the environment
// variable PQW_KERNEL names. Decided at the first call.
// Errors: kInvalidArgument when PQW_KERNEL names kernels that this processor cannot run.
std::string kernel_name();

// The names of the kernels that this processor can run, the best one first.
std::vector<std::string> available_kernels();

}  // namespace pqw
