// Names of tensors as paths in an HDF5 file.
#pragma once

#include <string>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// The groups that hold tensors of these names, each after the one it lies in. Checks that HDF5 can
// hold the types, the shapes, and all names in one file. `path` is for messages. Errors:
// kUnsupported. REQUIRES: different names.
std::vector<std::string> groups_of(const std::vector<TensorInfo>& tensors, const std::string& path);

}  // namespace pqw
