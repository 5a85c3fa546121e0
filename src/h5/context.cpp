// Whom an error is about.
#include "h5/context.h"

#include "pqw/core/text.h"

namespace pqw::h5 {

Error Context::error(ErrorCode other, const std::string& what) const {
  return Error(other, printable(file) + ": " + (object.empty() ? "" : object + ": ") + what);
}

}  // namespace pqw::h5
