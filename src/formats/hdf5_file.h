// Generic HDF5 files of tensors: every numeric dataset is a tensor named by its paths.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// True also if a user block of 512, 1024, 2048, ... bytes comes before the content.
bool is_hdf5(const InputFile& file);

// Tensors are the datasets of numbers (h5/content.h) that hard links, and soft links within the
// file, reach from the root group. A tensor is listed under every path that leads to it, without
// the leading '/', group by group in the order of names. Both byte orders are read, and chunks
// packed with deflate, shuffle and fletcher32. skipped() lists other datasets (text, compounds,
// references,
// ...), links that lead nowhere or back to a group that contains them, and links to other files.
// Metadata are the fixed-length UTF-8 attributes of the root group. Errors: kIo, kFormat,
// kUnsupported (a tensor whose data is in other files or packed with another filter).
// Unless the options say that the file is trusted, it is parsed in a process of its own
// (isolate/worker.h): whatever it does to the HDF5 library is an error here.
std::unique_ptr<WeightReader> open_hdf5(InputFile file, const ReadOptions& options);
std::unique_ptr<WeightReader> open_hdf5_direct(InputFile file);
std::unique_ptr<WeightReader> open_hdf5_isolated(InputFile file);

// Tensors become contiguous datasets, nested in groups at each '/' of the name; add_name_of makes a
// hard link; metadata becomes attributes of the root group. Equal calls give equal bytes.
// Errors: kExists, kIo, kUnsupported (types, names or metadata that HDF5 cannot hold; also names
// 'a' and 'a/b' together).
std::unique_ptr<WeightWriter> create_hdf5(const std::string& path, std::vector<TensorInfo> tensors,
                                          const Metadata& metadata, const WriteOptions& options);

}  // namespace pqw
