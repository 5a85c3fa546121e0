// Errors of the operating system as pqw::Error.
#pragma once

#include <string>

#include "pqw/core/error.h"

namespace pqw {

// "<path>: cannot <action>: <strerror(errno)>"; kNotFound for ENOENT, else kIo.
Error system_error(const std::string& path, const std::string& action);

}  // namespace pqw
