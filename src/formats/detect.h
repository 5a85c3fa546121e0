// Which format a file has, by its content.
#pragma once

#include <string>

#include "pqw/io/input_file.h"

namespace pqw {

enum class FileFormat { kSafetensors, kNpy, kZip, kHdf5, kOther };

FileFormat detect_format(const InputFile& file);

// What a file of format kOther seems to be, for a message: "empty", "a GGUF file", or how it
// starts.
std::string describe_unknown(const InputFile& file);

// True when that guess is of a weight format which exists but is not read.
bool is_known_but_unsupported(const InputFile& file);

}  // namespace pqw
