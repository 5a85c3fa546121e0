// Files in the safetensors format.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// Whether the file starts with a length of some plausible size and the '{' of the JSON.
bool is_safetensors(const InputFile& file);

// Tensors come in the order of their data. Errors: kFormat.
std::unique_ptr<WeightReader> open_safetensors(InputFile file, const ReadOptions& options);

// The data is in the order of `tensors` if that leaves every tensor aligned to its element size,
// which some readers need (PyTorch's cannot view bytes otherwise); if not, tensors of large
// elements come first. Errors: kExists, kIo, kUnsupported.
std::unique_ptr<WeightWriter> create_safetensors(const std::string& path,
                                                 std::vector<TensorInfo> tensors,
                                                 const Metadata& metadata,
                                                 const WriteOptions& options);

}  // namespace pqw
