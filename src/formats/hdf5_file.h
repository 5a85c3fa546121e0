// Generic HDF5 files of tensors: every numeric dataset is a tensor named by its path.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pqw/formats/weight_file.h"

namespace pqw {

// Tensors are the datasets reached by hard links from the root group, in the order of their names,
// each under its path without the leading '/'. Floats of either byte order are converted to
// little-endian. What is no tensor (strings, compounds, references, ...) and what would have to be
// fetched from elsewhere (soft and external links, external storage, virtual datasets) is listed
// in skipped() and never followed. No metadata is read.
// Errors: kNotFound, kIo, kFormat (no HDF5 file, or a broken one), kUnsupported.
std::unique_ptr<WeightReader> open_hdf5(const std::string& path);

// Tensors become contiguous datasets, nested in groups at each '/' of the name; metadata becomes
// string attributes of the root group.
// Errors: kExists, kIo, kUnsupported (names or metadata that HDF5 cannot hold).
std::unique_ptr<WeightWriter> create_hdf5(const std::string& path, std::vector<TensorInfo> tensors,
                                          const Metadata& metadata, bool overwrite);

}  // namespace pqw
