// Guesses of errors and sizes between the candidates that were probed.
#include "compress/point_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

struct Known {
  double error;
  std::int64_t saved_bytes;
};

// Of series 1, with 1000 bytes.
Candidate candidate(double number, std::optional<Known> known = {}) {
  Candidate made{Keep{}, 1000, 1, number};
  if (known) {
    made.relative_error = known->error;
    made.saved_bytes = known->saved_bytes;
  }
  return made;
}

PointTable table_of(std::vector<Candidate> candidates, bool with_guesses = true) {
  const SearchItem item{std::move(candidates), {}, 1, 1};
  return make_point_table({&item, 1}, Metric::kRelative, with_guesses);
}

// error = 4 / number^2; 100 bytes saved for each doubling.
TEST(PointTable, GuessesFollowAPowerLaw) {
  const PointTable table = table_of({candidate(16, Known{4.0 / 256, 0}), candidate(32),
                                     candidate(64, Known{4.0 / 4096, 200}), candidate(128)});
  ASSERT_EQ(table.points[0].size(), 4u);
  EXPECT_NEAR(table.points[0][1].error, 4.0 / 1024, 1e-12);
  EXPECT_NEAR(static_cast<double>(table.points[0][1].bytes), 900, 1);
  EXPECT_NEAR(table.points[0][3].error, 4.0 / 16384, 1e-12);
  EXPECT_NEAR(static_cast<double>(table.points[0][3].bytes), 700, 1);
}

TEST(PointTable, GuessesAreBetweenTheNearestOfBothSides) {
  // 16 and 64 decide about 32; 15 is nearer than 64, but on the side of 16.
  const PointTable table =
      table_of({candidate(15, Known{0.9, 0}), candidate(16, Known{0.4, 0}), candidate(32),
                candidate(64, Known{0.1, 0}), candidate(256, Known{0.001, 0})});
  EXPECT_NEAR(table.points[0][2].error, 0.2, 1e-12);
}

TEST(PointTable, SizesThatWereMadeAreNotGuessed) {
  Candidate made = candidate(32);
  made.was_made = true;
  made.saved_bytes = 150;
  const PointTable table =
      table_of({candidate(16, Known{0.4, 0}), made, candidate(64, Known{0.1, 200})});
  EXPECT_NEAR(table.points[0][1].error, 0.2, 1e-12);
  EXPECT_EQ(table.points[0][1].bytes, 850u);
}

TEST(PointTable, GuessesBeyondAllUseTheFarthest) {
  // 64 and 16, not 64 and 60: half the error for each doubling.
  const PointTable table = table_of({candidate(16, Known{0.4, 0}), candidate(60, Known{0.11, 0}),
                                     candidate(64, Known{0.1, 0}), candidate(128)});
  EXPECT_NEAR(table.points[0][3].error, 0.05, 1e-12);
}

TEST(PointTable, WithoutGuessesOnlyNeighboursOfProbedPointsStay) {
  const PointTable table = table_of({candidate(16, Known{0.4, 0}), candidate(16.5), candidate(32),
                                     candidate(64, Known{0.1, 0}), candidate(128)},
                                    false);
  EXPECT_THAT(table.origin[0], testing::ElementsAre(0, 1, 3));
}

}  // namespace
}  // namespace pqw
