// Files in numpy's .npy format: one tensor, which has no name of its own and gets numpy's default.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

constexpr const char* kNpyTensorName = "arr_0";

bool is_npy(const InputFile& file);

// Errors: kFormat, kUnsupported (versions).
std::unique_ptr<WeightReader> open_npy(InputFile file, const ReadOptions& options);

// Drops the metadata. Errors: kExists, kIo, kUnsupported (not exactly one tensor, an element type).
std::unique_ptr<WeightWriter> create_npy(const std::string& path, std::vector<TensorInfo> tensors,
                                         const Metadata& metadata, const WriteOptions& options);

}  // namespace pqw
