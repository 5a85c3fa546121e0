// The subject of an error: every message reads `FILE: tensor 'NAME': what was found, what was
// expected`.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {

// How errors about damaged files end.
inline constexpr char kFetchAgain[] = "the file is damaged; fetch it or save it again";

struct Subject {
  std::string file = {};                // as given; may be empty
  ErrorCode code = ErrorCode::kFormat;  // of errors that do not name one
  std::string object = {};              // "tensor 'NAME': section 'NAME'", escaped; may be empty

  // "tensor 'NAME'" in this subject.
  Subject in(std::string_view kind, std::string_view name) const { return in(quoted(kind, name)); }

  // "metadata" in this subject. REQUIRES: text for messages, not from a file.
  Subject in(std::string_view what) const {
    return {file, code, object.empty() ? std::string(what) : fmt::format("{}: {}", object, what)};
  }

  // An error about this subject. Put names and texts of files through `shown` (core/text.h).
  template <class... Args>
  Error error(fmt::format_string<Args...> what, Args&&... args) const {
    return error_with(code, fmt::format(what, std::forward<Args>(args)...));
  }
  template <class... Args>
  Error error(ErrorCode other, fmt::format_string<Args...> what, Args&&... args) const {
    return error_with(other, fmt::format(what, std::forward<Args>(args)...));
  }

  // A failed system call: "cannot ACTION: REASON", by errno. kNotFound for ENOENT, else kIo.
  Error system_error(std::string_view action) const;

 private:
  Error error_with(ErrorCode used, const std::string& what) const;
};

// An error that no file or tensor is the subject of: an argument is not valid.
template <class... Args>
Error invalid_argument(fmt::format_string<Args...> what, Args&&... args) {
  return Subject{}.error(ErrorCode::kInvalidArgument, what, std::forward<Args>(args)...);
}

// The subject of errors about a tensor in memory.
inline Subject tensor_subject(std::string_view name, ErrorCode code = ErrorCode::kInvalidArgument) {
  return Subject{"", code}.in("tensor", name);
}

}  // namespace pqw
