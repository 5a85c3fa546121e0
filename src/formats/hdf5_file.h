// Generic HDF5 files of tensors: every numeric dataset is a tensor named by its path.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pqw/formats/weight_file.h"
#include "pqw/io/input_file.h"

namespace pqw {

// Tensors are the datasets of numbers (h5/types.h) reached by hard links from the root group, each
// under its path without the leading '/', group by group in the order of names. Either byte order
// is read, as are chunks packed with deflate, shuffle and fletcher32. Other datasets (text,
// compounds, references, ...), soft and external links and second names of one object are listed
// in skipped() and never followed. Metadata are the fixed-length UTF-8 attributes of the root
// group.
// Errors: kNotFound, kIo, kFormat (no HDF5 file, or a broken one), kUnsupported (a tensor whose
// data is in other files or packed with another filter).
std::unique_ptr<WeightReader> open_hdf5(InputFile file);

// As open_hdf5, in a process of its own (io/worker.h): whatever the file does to the HDF5 library
// is an error here.
// Errors: as above; kIo when no process can be started.
std::unique_ptr<WeightReader> open_hdf5_isolated(InputFile file);

// Tensors become contiguous datasets, nested in groups at each '/' of the name; metadata becomes
// attributes of the root group. Equal calls give equal bytes.
// Errors: kExists, kIo, kUnsupported (names, also 'a' beside 'a/b', or metadata that HDF5 cannot
// hold).
std::unique_ptr<WeightWriter> create_hdf5(const std::string& path, std::vector<TensorInfo> tensors,
                                          const Metadata& metadata, bool overwrite);

}  // namespace pqw
