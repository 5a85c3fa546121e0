// Files in numpy's .npz format: a zip archive with one .npy member per tensor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// A zip archive that has a .npy member, is empty, or cannot be read.
bool is_npz(const InputFile& file);

// A tensor has the name of its member without ".npy"; other members and those of text or dates are
// listed in skipped(). Members are stored or deflated; checksums are verified when a tensor is
// read. Errors: kFormat, kUnsupported (element types, encryption, other compression).
std::unique_ptr<WeightReader> open_npz(InputFile file, const ReadOptions& options);

// Members are stored without compression, as numpy's savez does. Until commit they are in a
// temporary file beside the target, so that twice the space is needed for a while. Drops the
// metadata.
// Errors: kExists, kIo, kUnsupported (element types, names that a zip archive cannot hold).
std::unique_ptr<WeightWriter> create_npz(const std::string& path, std::vector<TensorInfo> tensors,
                                         const Metadata& metadata, const WriteOptions& options);

}  // namespace pqw
