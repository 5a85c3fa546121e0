// Which format a file has, by its content.
#pragma once

#include <string>

#include "pqw/io/input_file.h"

namespace pqw {

enum class FileFormat { kSafetensors, kNpy, kZip, kHdf5, kOther };

FileFormat detect_format(const InputFile& file);

// The format of the file, for messages: "a safetensors file", or the text of recognise_foreign with
// its advice.
std::string describe_file(const InputFile& file);

// "of an unknown format; it starts with 77 65".
std::string describe_start(const InputFile& file);

}  // namespace pqw
