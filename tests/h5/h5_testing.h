// A new HDF5 file for one test, and errors as values.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "h5/file.h"
#include "h5/handle.h"
#include "tests/support/temp_dir.h"

namespace pqw::h5 {

class H5Test : public testing::Test {
 protected:
  // The message of the Error that `action` ends in; of the code that subject_ asks for.
  std::string message_of(const std::function<void()>& action) const {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), subject_.code) << error.what();
      return error.what();
    }
    return "no error";
  }

  const Exclusive lock_;  // and so no errors of HDF5 are printed
  const test::TempDir dir_;
  const std::string path_ = dir_ / "file.h5";
  const Subject subject_{"shown", ErrorCode::kFormat, "object"};
  Handle file_ = create_file(path_, FileKind::kInterchange, subject_);
};

}  // namespace pqw::h5
