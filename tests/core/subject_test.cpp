#include "core/subject.h"

#include <gtest/gtest.h>

namespace pqw {
namespace {

TEST(Subject, NamesFileAndObjectBeforeTheMessage) {
  const Subject file{"a.npz"};
  EXPECT_STREQ(file.error("{} bytes", 3).what(), "a.npz: 3 bytes");
  EXPECT_STREQ(file.in("tensor", "w").error("{} bytes", 3).what(), "a.npz: tensor 'w': 3 bytes");
  EXPECT_STREQ(file.in("tensor", "w").in("section", "codes").error("bad").what(),
               "a.npz: tensor 'w': section 'codes': bad");
  EXPECT_STREQ(file.in("metadata").error("bad").what(), "a.npz: metadata: bad");
}

TEST(Subject, OmitsAFileOrObjectThatIsMissing) {
  EXPECT_STREQ(Subject{}.in("tensor", "w").error("bad").what(), "tensor 'w': bad");
  EXPECT_STREQ(Subject{}.error("bad").what(), "bad");
}

TEST(Subject, GivesItsCodeUnlessAnErrorHasAnother) {
  const Subject subject{"a", ErrorCode::kCorrupt};
  EXPECT_EQ(subject.error("bad").code(), ErrorCode::kCorrupt);
  EXPECT_EQ(subject.in("tensor", "w").error("bad").code(), ErrorCode::kCorrupt);
  EXPECT_EQ(subject.error(ErrorCode::kIo, "bad").code(), ErrorCode::kIo);
  EXPECT_EQ(Subject{"a"}.error("bad").code(), ErrorCode::kFormat);
}

TEST(Subject, EscapesFileObjectAndMessage) {
  EXPECT_STREQ(Subject{"a\nb"}.in("tensor", "c\x1b").error("d{}", "\xff").what(),
               "a\\nb: tensor 'c\\x1b': d\\xff");
}

TEST(Error, IsOneLineHoweverItIsMade) {
  EXPECT_STREQ(Error(ErrorCode::kIo, "a\nb").what(), "a\\nb");
}

}  // namespace
}  // namespace pqw
