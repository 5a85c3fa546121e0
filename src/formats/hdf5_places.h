// Finds the bytes of an HDF5 file that hold the values of its tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/core/tensor.h"
#include "pqw/io/options.h"

namespace pqw {

// Where the element at `start` lies, and what follows it: the chunk, or the whole tensor.
struct Hdf5Extent {
  Shape start;
  std::uint64_t offset = 0;  // from the start of the file
};

struct Hdf5Place {
  TensorInfo info;
  bool big_endian = false;
  Shape chunk;  // its dimensions; of the tensor itself if the values are contiguous
  std::vector<Hdf5Extent> extents = {};
  std::string obstacle = {};  // why values cannot be overwritten where they are; usually empty
};

// One for each tensor that the format lists (formats.h), in its order. Every chunk is inside of the
// file. The file is parsed in a process of its own unless it is trusted. Errors: those of
// open_hdf5.
std::vector<Hdf5Place> find_hdf5_places(InputFile file, const ReadOptions& options);

}  // namespace pqw
