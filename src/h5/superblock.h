// The first bytes of HDF5's part of a file, looked at without HDF5.
#pragma once

#include <cstdint>
#include <optional>

#include "io/input_file.h"

namespace pqw::h5 {

// Where the signature is: at the start, or after a user block of 512, 1024, 2048, ... bytes. Empty
// if the file is not an HDF5 file.
std::optional<std::uint64_t> find_superblock(const InputFile& file);

// True if a program has the file open for writing, or did not close it after writing. Only files
// with superblock version 3 carry this mark.
bool is_marked_open(const InputFile& file, std::uint64_t superblock);

}  // namespace pqw::h5
