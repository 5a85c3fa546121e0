// What a failure means for the file that was being written.
#include "pqw/output.h"

#include <sys/stat.h>

#include <new>

#include "pqw/console.h"
#include "pqw/core/error.h"

namespace pqw::tool {
namespace {

// Whether the message of such an error leaves open what became of the output.
bool leaves_output_open(ErrorCode code) {
  switch (code) {
    case ErrorCode::kIo:
    case ErrorCode::kFormat:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
    case ErrorCode::kNonFinite:
      return true;
    default:
      return false;
  }
}

std::string fate(const std::string& output) {
  struct stat status;
  const bool is_there = ::lstat(output.c_str(), &status) == 0;
  return "; " + output + (is_there ? " is as it was" : " was not written");
}

}  // namespace

void write_output(const std::string& output, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (output.empty() || !leaves_output_open(error.code())) throw;
    throw Error(error.code(), error.what() + fate(output));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kIo, "out of memory" + (output.empty() ? "" : fate(output)));
  }
}

void print_result_of(const std::string& output, const std::string& text) {
  try {
    print_result(text);
  } catch (const Error& error) {
    if (output.empty()) throw;
    throw Error(error.code(), std::string(error.what()) + "; " + output + " is complete");
  }
}

}  // namespace pqw::tool
