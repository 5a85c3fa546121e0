// Which format a file has, by its content.
#pragma once

#include <string>

#include "pqw/io/input_file.h"

namespace pqw {

enum class FileFormat { kSafetensors, kNpy, kZip, kHdf5, kOther };

FileFormat detect_format(const InputFile& file);

// "starts with 77 65", for messages about a file of no known format.
std::string describe_start(const InputFile& file);

}  // namespace pqw
