// The aims of repeated searches for an error.
#include "compress/correction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace pqw {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr double kTarget = 0.1;

// Attempts that measure these errors, the last one again and again; below 0: no choice.
struct Attempts {
  std::vector<double> errors;
  std::vector<double> aims = {};
  std::optional<std::size_t> best = {};

  explicit Attempts(std::vector<double> given) : errors(std::move(given)) {
    best = best_attempt(kTarget, [&](double aim) -> std::optional<double> {
      const double error = errors[std::min(aims.size(), errors.size() - 1)];
      aims.push_back(aim);
      return error < 0 ? std::nullopt : std::optional(error);
    });
  }
};

TEST(BestAttempt, AnErrorThatIsNearAndNotAboveEndsIt) {
  for (const double error : {0.1, 0.098, 0.0}) {  // of 0, nothing is left to correct
    const Attempts attempts({error});
    EXPECT_THAT(attempts.aims, ElementsAre(kTarget));
    EXPECT_EQ(attempts.best, 0u);
  }
}

TEST(BestAttempt, TheAimIsScaledByTheErrorThatWasMeasured) {
  const Attempts above({0.108, 0.099}), below({0.08, 0.099});
  EXPECT_THAT(above.aims, ElementsAre(0.1, DoubleNear(0.99 * 0.1 / 1.08, 1e-12)));
  EXPECT_EQ(above.best, 1u);
  EXPECT_THAT(below.aims, ElementsAre(0.1, DoubleNear(0.99 * 0.1 / 0.8, 1e-12)));
  EXPECT_EQ(below.best, 1u);
}

TEST(BestAttempt, IsTheLargestErrorThatMetTheTarget) {
  const Attempts attempts({0.09, 0.12, 0.08});
  EXPECT_EQ(attempts.aims.size(), 3u);
  EXPECT_EQ(attempts.best, 0u);
  EXPECT_EQ(Attempts({0.08, 0.09, 0.12}).best, 1u);
}

TEST(BestAttempt, AnAimThatNoChoiceReachesIsTheLastOne) {
  const Attempts met({0.09, 0.12, -1}), missed({0.12, 0.11, -1});
  EXPECT_EQ(met.best, 0u) << "not the second one, which is the last that was made";
  EXPECT_EQ(missed.aims.size(), 3u);
  EXPECT_EQ(missed.best, std::nullopt);
}

TEST(BestAttempt, EndsWhereNoAimHelps) {
  const Attempts above({0.2}), below({0.05}), late({0.2, 0.2, 0.2, 0.09});
  EXPECT_EQ(above.aims.size(), 7u);
  EXPECT_EQ(above.best, std::nullopt);
  EXPECT_EQ(below.aims.size(), 3u);
  EXPECT_EQ(below.best, 0u);
  EXPECT_EQ(late.aims.size(), 4u);
  EXPECT_EQ(late.best, 3u);
}

}  // namespace
}  // namespace pqw
