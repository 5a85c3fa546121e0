// Whom an error is about: `FILE: tensor 'NAME': what was found, what was expected`.
#pragma once

#include <string>
#include <string_view>

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw::h5 {

struct Context {
  std::string file;
  std::string object;               // "tensor 'fc1.weight'"; may be empty
  ErrorCode code = ErrorCode::kIo;  // of what HDF5 itself reports

  // The same file and code, another object.
  Context about(std::string other) const { return {file, std::move(other), code}; }

  Error error(const std::string& what) const { return error(code, what); }
  Error error(ErrorCode other, const std::string& what) const;
};

using pqw::quoted;

}  // namespace pqw::h5
