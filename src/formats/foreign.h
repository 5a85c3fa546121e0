// Files that hold no weights, or hold them in a format that is not read: what they are.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "pqw/core/error.h"
#include "pqw/io/input_file.h"

namespace pqw {

struct Foreign {
  std::string what;  // "a GGUF file"
  std::string next;  // what its owner can do
  ErrorCode code = ErrorCode::kUnsupported;
};

// By its content. Nothing for what is not recognised.
std::optional<Foreign> recognise_foreign(const InputFile& file);

// What a zip archive is that holds no .npy, by the names of its members, of which there are some.
Foreign recognise_zip(std::span<const std::string> members);

}  // namespace pqw
