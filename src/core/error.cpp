// Messages of errors.
#include "pqw/core/error.h"

#include <cerrno>
#include <system_error>

#include "core/subject.h"

namespace pqw {

Error::Error(ErrorCode code, const std::string& message)
    : std::runtime_error(printable(message)), code_(code) {}

Error Subject::error_with(ErrorCode used, const std::string& what) const {
  constexpr std::size_t kLongestPath = 4096;  // that systems open
  if (file.size() > kLongestPath) return Subject{shown(file), used, object}.error("{}", what);
  return {used, fmt::format("{}{}{}{}{}", file, file.empty() ? "" : ": ", object,
                            object.empty() ? "" : ": ", what)};
}

Error Subject::system_error(std::string_view action) const {
  const int number = errno;
  return error(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot {}: {}", action,
               std::generic_category().message(number));
}

}  // namespace pqw
