// Finding the tensors of a generic HDF5 file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "h5/handle.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct Hdf5Tensor {
  TensorInfo info;
  std::uint64_t address = 0;  // of the dataset's header
  bool big_endian = false;
};

struct Hdf5Content {
  std::vector<Hdf5Tensor> tensors;  // group by group, names ascending
  std::vector<Skipped> skipped;     // one for each link that leads to no tensor
};

// Follows hard links, and soft links within the file, under every name that they make; not back
// into a group that it is in. Checks of every tensor that its data lies in this file, unpacks with
// known filters and to no more than its stored size can hold, each name counted. Errors: kFormat,
// kUnsupported (a tensor that cannot be read; more groups, links or bytes of names than any file of
// weights has).
Hdf5Content walk_hdf5(h5::Id file, std::uint64_t file_bytes, const std::string& path);

}  // namespace pqw
