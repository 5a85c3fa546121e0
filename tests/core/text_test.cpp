#include "pqw/core/text.h"

#include <gtest/gtest.h>

namespace pqw {
namespace {

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("fc1.weight"), "fc1.weight");
  EXPECT_EQ(printable("a\nb\tc\\."), "a\\nb\\tc\\.");
  EXPECT_EQ(printable("\x1b[31m\x7f"), "\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // the one-byte control sequence introducer
  EXPECT_EQ(printable("caf\xc3\xa9"), "caf\xc3\xa9");
}

TEST(Printable, EscapesBytesThatAreNotUtf8AndMarksThatTurnLines) {
  EXPECT_EQ(printable("a\xff\xc3z"), "a\\xff\\xc3z");
  EXPECT_EQ(printable("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");  // U+2028, a line separator
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // U+202E, right to left
  EXPECT_EQ(printable("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");  // U+2066, isolates
  EXPECT_EQ(printable("\xe2\x80\xa7\xe2\x80\xaf"), "\xe2\x80\xa7\xe2\x80\xaf");
}

TEST(Printable, ChangesNothingMoreWhenItIsAppliedTwice) {
  const std::string once = printable("a\n\x1b\xff\\x41");
  EXPECT_EQ(printable(once), once);
}

TEST(Shown, CutsLongTextsAtTheEndOfACharacter) {
  const std::string x200(200, 'x'), x199(199, 'x'), x198(198, 'x'), x197(197, 'x');
  EXPECT_EQ(shown(x200), x200);
  EXPECT_EQ(shown(x200 + "x"), x200 + "... (201 bytes)");
  EXPECT_EQ(shown(x199 + "\xc3\xa9"), x199 + "... (201 bytes)");
  EXPECT_EQ(shown(x198 + "\xc3\xa9x"), x198 + "\xc3\xa9... (201 bytes)");
  EXPECT_EQ(shown(x197 + "\xf0\x9f\x98\x80"), x197 + "... (201 bytes)");
}

TEST(Shown, CutsBytesThatAreNotUtf8) {
  const std::string text = shown(std::string(300, '\x80'));
  EXPECT_EQ(text.size(), 200 + std::string("... (300 bytes)").size());
  EXPECT_TRUE(text.ends_with("\\x80... (300 bytes)")) << text;
}

TEST(Shown, BoundsTheTextWithItsEscapes) {
  EXPECT_EQ(shown(std::string(100, '\n')).size(), 200u);
  EXPECT_EQ(shown(std::string(50, '\1')).size(), 200u);
  EXPECT_TRUE(shown(std::string(51, '\1')).ends_with("\\x01... (51 bytes)"));
  // U+2028 takes 12 bytes, of which none is shown alone.
  const std::string x190(190, 'x');
  EXPECT_EQ(shown(x190 + "\xe2\x80\xa8"), x190 + "... (193 bytes)");
}

TEST(Quoted, NamesAKindAndAShownName) {
  EXPECT_EQ(quoted("tensor", "a\nb"), "tensor 'a\\nb'");
  EXPECT_EQ(quoted("codec", std::string(201, 'x')),
            "codec '" + std::string(200, 'x') + "... (201 bytes)'");
}

}  // namespace
}  // namespace pqw
