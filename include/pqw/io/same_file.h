// The error of an output that would replace an input or another output.
#pragma once

#include "pqw/core/error.h"

namespace pqw {

// A kInvalidArgument. Nothing was written.
class SameFileError : public Error {
 public:
  explicit SameFileError(const Error& error) : Error(error) {}
};

}  // namespace pqw
