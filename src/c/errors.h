// Turns exceptions into codes and messages: none of them leaves a function of the C API.
#pragma once

#include <exception>
#include <utility>

#include "pqw.h"

namespace pqw::c {

// Thrown when a progress function ends the work. It is not an Error, so nothing in the library
// handles it.
struct Cancelled {};

// Keeps the text for pqw_last_error and returns the status.
pqw_status fail(pqw_status status, const char* message) noexcept;

// The status of the exception that is being handled, whose message is kept.
pqw_status failure_of_exception() noexcept;

// Calls work(); what it throws becomes the result.
template <class Work>
pqw_status guarded(Work&& work) noexcept {
  try {
    std::forward<Work>(work)();
    return PQW_OK;
  } catch (...) {
    return failure_of_exception();
  }
}

// Throws kInvalidArgument: "NAME is NULL".
void require(const void* argument, const char* name);

}  // namespace pqw::c
