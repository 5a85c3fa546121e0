// Files in numpy's .npy format: one tensor, which has no name of its own and gets numpy's default.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pqw/formats/weight_file.h"
#include "pqw/io/input_file.h"

namespace pqw {

constexpr const char* kNpyTensorName = "arr_0";

// Errors: kFormat, kUnsupported (versions).
std::unique_ptr<WeightReader> open_npy(InputFile file);

// Errors: kExists, kIo, kUnsupported (not exactly one tensor, an element type).
std::unique_ptr<WeightWriter> create_npy(const std::string& path, std::vector<TensorInfo> tensors,
                                         bool overwrite);

}  // namespace pqw
