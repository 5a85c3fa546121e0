// Whether a dry run foresaw what a run did.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "pqw/pipeline/report.h"

namespace pqw::test {

// Sizes that are upper bounds are not below those of the run; all else is equal.
inline void expect_foreseen(const Report& plan, const Report& made, const std::string& what = "") {
  const auto expect_bytes = [&](bool at_most, std::uint64_t planned, std::uint64_t bytes) {
    if (at_most) {
      EXPECT_GE(planned, bytes) << what;
    } else {
      EXPECT_EQ(planned, bytes) << what;
    }
  };
  expect_bytes(plan.at_most(), plan.file_bytes, made.file_bytes);
  EXPECT_FALSE(made.at_most()) << what;
  ASSERT_EQ(plan.tensors.size(), made.tensors.size()) << what;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const TensorReport &planned = plan.tensors[i], &report = made.tensors[i];
    expect_bytes(planned.at_most, planned.bytes, report.bytes);
    EXPECT_EQ(planned.codec, report.codec) << what;
    EXPECT_EQ(planned.settings, report.settings) << what;
    EXPECT_EQ(planned.note, report.note) << what;
  }
}

}  // namespace pqw::test
