// Errors as values.
#pragma once

#include <gtest/gtest.h>

#include "pqw/core/error.h"

namespace pqw::test {

// The error that `action` throws. The test fails if there is none.
Error error_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInvalidArgument, "no error"};
}

}  // namespace pqw::test
