// Whom an error is about.
#include "h5/context.h"

#include "pqw/core/text.h"

namespace pqw::h5 {

Error Context::error(ErrorCode other, const std::string& what) const {
  return Error(other, printable(file) + ": " + (object.empty() ? "" : object + ": ") + what);
}

std::string quoted(std::string_view kind, std::string_view name) {
  constexpr std::size_t kMaxShown = 200;
  const bool cut = name.size() > kMaxShown;
  return std::string(kind) + " '" + printable(name.substr(0, kMaxShown)) + (cut ? "...'" : "'");
}

}  // namespace pqw::h5
