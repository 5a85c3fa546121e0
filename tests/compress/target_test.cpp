#include "pqw/compress/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace pqw {
namespace {

std::string message_for(const std::string& text) {
  return test::error_of([&] { (void)parse_size(text); }).what();
}

TEST(ParseSize, TakesDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_size("4MB"), 4'000'000u);
  EXPECT_EQ(parse_size("4MiB"), 4'194'304u);
  EXPECT_EQ(parse_size("1.5KB"), 1500u);
  EXPECT_EQ(parse_size("1.5 kB"), 1500u);
  EXPECT_EQ(parse_size("2KiB"), 2048u);
  EXPECT_EQ(parse_size("2GB"), 2'000'000'000u);
  EXPECT_EQ(parse_size("2GiB"), 2'147'483'648u);
  EXPECT_EQ(parse_size("300000"), 300'000u);
  EXPECT_EQ(parse_size("12B"), 12u);
  EXPECT_EQ(parse_size("1e6"), 1'000'000u);
}

TEST(ParseSize, NamesTheUnitsAndTheNearestOne) {
  const std::string units = "expected B, KB, MB, GB, KiB, MiB or GiB; did you mean ";
  for (const auto& [text, meant] : std::vector<std::pair<std::string, std::string>>{
           {"4M", "MB"}, {"4mb", "MB"}, {"4k", "KB"}, {"4mib", "MiB"}, {"4Gib", "GiB"}}) {
    EXPECT_THAT(message_for(text),
                testing::AllOf(testing::HasSubstr("size '" + text + "': unknown unit '"),
                               testing::HasSubstr(units + "'" + meant + "'?")));
  }
}

TEST(ParseSize, RefusesWhatIsNotASize) {
  for (const char* text : {"", "MB", "0", "0MB", "-1MB", "nan", "inf", "0.5"}) {
    EXPECT_THAT(message_for(text),
                testing::StartsWith("size '" + std::string(text) + "': expected "))
        << text;
  }
  EXPECT_THAT(message_for("1e300"), testing::HasSubstr("at most 4e9 GB"));
  EXPECT_THAT(message_for("4 parsecs"),
              testing::EndsWith("expected B, KB, MB, GB, KiB, MiB or GiB"));
}

}  // namespace
}  // namespace pqw
