// Recognises files without weights, and weight files of formats that pqw does not read.
#pragma once

#include <string>

#include "io/input_file.h"
#include "pqw/core/error.h"

namespace pqw {

struct Foreign {
  std::string what;       // "a GGUF file"
  std::string next = {};  // advice: what the user can do; may be empty
  ErrorCode code = ErrorCode::kUnsupported;
};

// Describes a file that is of no format that pqw reads, by its content.
Foreign describe_foreign(const InputFile& file);

}  // namespace pqw
