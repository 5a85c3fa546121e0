// The one exception type of the library.
#pragma once

#include <stdexcept>
#include <string>

namespace pqw {

enum class ErrorCode {
  kInvalidArgument,  // an argument is not valid
  kNotFound,         // the named file or tensor does not exist
  kExists,           // the output exists already, and may not be overwritten
  kIo,               // the operating system refused or failed
  kBusy,             // another writer is writing the same output
  kUnsynced,         // an output is complete under its name, but a power failure may undo that
  kFormat,           // a file breaks the rules of its format
  kCorrupt,          // an archive whose content contradicts itself or its digest
  kUnsupported,      // valid, but this version does not support it
  kNonFinite,        // weights hold NaN or infinity
  kNotCarried,       // an input holds numbers that cannot become a tensor
};

// Thrown at the edges of the library. The message is one printable line (core/text.h) that names
// the subject, what was found and what was expected, e.g. `model.safetensors: tensor 'fc1.weight':
// 96 bytes stored, shape [4, 8] of F32 needs 128`.
class Error : public std::runtime_error {
 public:
  // Escapes what is not printable in the message.
  Error(ErrorCode code, const std::string& message);

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace pqw
