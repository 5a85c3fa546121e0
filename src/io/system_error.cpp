// Errors of the operating system as pqw::Error.
#include "io/system_error.h"

#include <cerrno>
#include <system_error>

#include "core/subject.h"

namespace pqw {

Error system_error(const std::string& path, const std::string& action) {
  const int code = errno;
  return Subject{path}.error(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                             "cannot {}: {}", action, std::generic_category().message(code));
}

}  // namespace pqw
