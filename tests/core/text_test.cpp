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

TEST(Text, SubjectsAreShortAndPrintable) {
  EXPECT_EQ(quoted("tensor", "a\nb"), "tensor 'a\\nb'");
  EXPECT_EQ(quoted("codec", std::string(201, 'x')), "codec '" + std::string(200, 'x') + "...'");
}

}  // namespace
}  // namespace pqw
