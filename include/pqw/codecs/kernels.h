// Which instruction set the inner loops use.
#pragma once

#include <string>
#include <vector>

namespace pqw {

// The name of the kernels in use: the best ones of this processor, or those that the environment
// variable PQW_KERNEL names. Decided at the first call.
// Errors: kInvalidArgument when PQW_KERNEL names none that this processor can run.
std::string kernel_name();

// The names of those that it can run, the best one first.
std::vector<std::string> available_kernels();

}  // namespace pqw
