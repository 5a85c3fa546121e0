// Tables of options, with options made up here.
#include "codecs/train/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/core/error.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Colour { kRed, kBlue };

struct Toy {
  static constexpr const char* kCodec = "toy";
  static const Fields<Toy>& fields();

  std::size_t size = 0;   // 0: auto
  std::size_t limit = 0;  // 0: none
  double part = 0.5;
  Colour colour = Colour::kBlue;

  bool operator==(const Toy&) const = default;
};

const Fields<Toy>& Toy::fields() {
  static const Fields<Toy> kFields = {
      Field("size", &Toy::size, count(1, 9).or_word("auto", 0), "how large",
            {.then = [](Toy& toy) { toy.limit = 0; }}),
      Field("limit", &Toy::limit, count(2).or_none(0), "at most"),
      Field("part", &Toy::part, share(), "how much",
            {.written = [](const Toy& toy) { return toy.part < 1; }, .has_flag = false}),
      Field("colour", &Toy::colour,
            choice<Colour>({{"red", Colour::kRed}, {"blue", Colour::kBlue}}), "which one",
            {.unused = [](const Toy& toy) { return toy.part == 1 ? "part=1 hides it" : ""; }})};
  return kFields;
}

std::string error_of(std::string_view key, std::string_view value) {
  Toy toy;
  try {
    Toy::fields().set(toy, key, value, {"beside"});
  } catch (const Error& error) {
    EXPECT_EQ(toy, Toy()) << "a refused value changes nothing";
    return error.what();
  }
  return "no error";
}

TEST(Fields, AreSetByTextAndWritten) {
  Toy toy;
  EXPECT_EQ(Toy::fields().text(toy), "size=auto,part=0.5,colour=blue");
  Toy::fields().set(toy, "limit", "2");
  Toy::fields().set(toy, "colour", "red");
  EXPECT_EQ(Toy::fields().text(toy), "size=auto,limit=2,part=0.5,colour=red");
  Toy::fields().set(toy, "size", "9");
  Toy::fields().set(toy, "part", "1");
  EXPECT_EQ(Toy::fields().text(toy), "size=9,colour=red") << "size takes the limit away";
  Toy::fields().set(toy, "size", "auto");
  EXPECT_EQ(toy, (Toy{.part = 1, .colour = Colour::kRed}));
}

TEST(Fields, RefuseOtherTexts) {
  for (const char* text : {"0", "10", "-1", "1.0", "9x", " 1", ""}) {
    EXPECT_THAT(error_of("size", text), HasSubstr("expected a whole number from 1 to 9 or auto"));
  }
  EXPECT_EQ(error_of("size", "auot"),
            "size=auot: expected a whole number from 1 to 9 or auto; did you mean 'auto'?");
  EXPECT_EQ(error_of("limit", "0"), "limit=0: expected a whole number, 2 or more");
  EXPECT_EQ(error_of("part", "nan"), "part=nan: expected a number above 0, at most 1");
  EXPECT_EQ(error_of("colour", "rde"), "colour=rde: expected red or blue; did you mean 'red'?");
  EXPECT_EQ(error_of("color", "red"),
            "codec toy: unknown option 'color': expected size, limit, part or colour; "
            "did you mean 'colour'?");
  EXPECT_THAT(error_of("besides", "1"), HasSubstr("did you mean 'beside'?"));
}

TEST(Fields, AreCheckedInCode) {
  EXPECT_NO_THROW(Toy::fields().check({}));
  EXPECT_NO_THROW(Toy::fields().check({.size = 9, .limit = 2, .part = 1}));
  const Toy wrong[] = {{.size = 10}, {.limit = 1}, {.part = 0}, {.colour = Colour{7}}};
  for (const Toy& toy : wrong) EXPECT_THROW(Toy::fields().check(toy), Error);
}

TEST(Fields, TellWhyTheyHaveNoEffect) {
  EXPECT_EQ(Toy::fields().unused({}, "colour"), "");
  EXPECT_EQ(Toy::fields().unused({.part = 1}, "colour"), "part=1 hides it");
  EXPECT_EQ(Toy::fields().unused({.part = 1}, "size"), "");
}

TEST(Fields, DescribeThemselves) {
  std::vector<SettingHelp> all;
  Toy::fields().describe(all);
  std::vector<std::string> lines;
  for (const SettingHelp& row : all) {
    lines.push_back(row.codec + " " + row.key + " " + row.values + " " + row.standard + ": " +
                    row.help + (row.has_flag ? "" : " *"));
  }
  EXPECT_THAT(lines,
              ElementsAre("toy size 1..9|auto auto: how large", "toy limit N : at most",
                          "toy part X 0.5: how much *", "toy colour red|blue blue: which one"));
}

}  // namespace
}  // namespace pqw
