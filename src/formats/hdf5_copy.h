// Copies of files that are or hold an HDF5 file, in which tensors have other values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

// A writer as CopyFormat says (formats.h), for a file `original` that holds the HDF5 file `hdf5` at
// the offset `begin`, in bytes. Calls finish(copy) before the copy is committed. Errors: those of
// CopyFormat; kUnsupported for the first tensor whose values cannot be overwritten where they are.
std::unique_ptr<WeightWriter> make_hdf5_copy(const InputFile& original, std::uint64_t begin,
                                             InputFile hdf5, const std::string& path,
                                             std::vector<TensorInfo> tensors,
                                             const ReadOptions& reading,
                                             const WriteOptions& options,
                                             std::function<void(AtomicFile& copy)> finish);

}  // namespace pqw
