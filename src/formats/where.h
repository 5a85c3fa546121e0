// The subject of an error message: a file, and a tensor in it.
#pragma once

#include <string>
#include <string_view>

#include "pqw/core/error.h"

namespace pqw {

// `text` fit for a message: control characters escaped, the middle of an endless one left out.
std::string for_message(std::string_view text);

// "FILE: " before every message.
struct InFile {
  const std::string& path;

  [[noreturn]] void fail(ErrorCode code, const std::string& message) const;
};

// "FILE: tensor 'NAME': " before every message.
struct InTensor {
  const std::string& path;
  const std::string& name;

  [[noreturn]] void fail(ErrorCode code, const std::string& message) const;
};

}  // namespace pqw
