#include "core/region_errors.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace pqw {
namespace {

TEST(RegionErrors, TheWorkGoesOnAndOneErrorIsThrownBehindTheRegion) {
  RegionErrors errors;
  std::vector<int> done(100);
#pragma omp parallel for
  for (std::size_t i = 0; i < done.size(); ++i) {
    errors.run([&] {
      if (i % 7 == 0) throw std::length_error("one of them");
      done[i] = 1;
    });
  }
  for (std::size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i], i % 7 == 0 ? 0 : 1) << i;
  EXPECT_THROW(errors.rethrow(), std::length_error);
}

TEST(RegionErrors, WithoutErrorsNothingIsThrown) {
  RegionErrors errors;
  errors.run([] {});
  EXPECT_NO_THROW(errors.rethrow());
}

}  // namespace
}  // namespace pqw
