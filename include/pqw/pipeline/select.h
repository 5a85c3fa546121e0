// Choosing tensors by name.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// The indices of the tensors of a file whose name matches `pattern` (RE2 syntax, anywhere in the
// name; empty: all). Errors: kInvalidArgument for a malformed pattern; kNotFound, naming the
// file, when no tensor matches or the file holds none.
std::vector<std::size_t> select_tensors(const std::string& path,
                                        std::span<const TensorInfo> tensors,
                                        const std::string& pattern);

}  // namespace pqw
