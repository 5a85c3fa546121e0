// Recognises files without weights, and weight files of formats that pqw does not read.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "pqw/core/error.h"
#include "pqw/io/input_file.h"

namespace pqw {

struct Foreign {
  std::string what;  // "a GGUF file"
  std::string next;  // advice: what the user can do
  ErrorCode code = ErrorCode::kUnsupported;
};

// Recognises a file by its content; empty if it does not.
std::optional<Foreign> recognise_foreign(const InputFile& file);

// Recognises a zip archive without .npy members by the names of its members.
// REQUIRES: at least one member.
Foreign recognise_zip(std::span<const std::string> members);

}  // namespace pqw
