// Which format a file has, by its content.
#pragma once

#include <string>

#include "pqw/io/input_file.h"

namespace pqw {

enum class FileFormat { kSafetensors, kNpy, kZip, kHdf5, kOther };

FileFormat detect_format(const InputFile& file);

// What the file is, for messages: "a safetensors file", or as recognise_foreign tells, with what
// helps.
std::string describe_file(const InputFile& file);

// "of an unknown format; it starts with 77 65".
std::string describe_start(const InputFile& file);

}  // namespace pqw
