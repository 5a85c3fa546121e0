// The marks of files that were not closed.
#include <gtest/gtest.h>

#include "h5/file.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::h5 {
namespace {

// Layout: the signature, version, sizes of offsets and of lengths, flags.
std::string superblock(char version, char flags) {
  return std::string("\x89HDF\r\n\x1a\n") + version + "\x08\x08" + flags;
}

bool is_marked(const std::string& content, std::uint64_t at = 0) {
  const test::TempDir dir;
  test::set_content(dir / "f", content);
  const InputFile file(dir / "f");
  EXPECT_EQ(find_superblock(file), at);
  return is_marked_open(file, at);
}

TEST(Superblock, MarksOfVersion3AreBits0And2) {
  for (int flags = 0; flags < 256; ++flags) {
    const bool expected = flags % 2 == 1 || (flags / 4) % 2 == 1;
    EXPECT_EQ(is_marked(superblock(3, static_cast<char>(flags))), expected) << flags;
  }
}

TEST(Superblock, OtherVersionsHaveNoMarks) {
  for (const char version : {'\0', '\1', '\2', '\4'}) {
    EXPECT_FALSE(is_marked(superblock(version, 5)));
  }
}

TEST(Superblock, MayFollowAUserBlock) {
  EXPECT_TRUE(is_marked(std::string(512, 'x') + superblock(3, 1), 512));
  EXPECT_TRUE(is_marked(std::string(2048, 'x') + superblock(3, 4), 2048));
}

TEST(Superblock, AFileThatEndsBeforeItsMarksHasNone) {
  const std::string whole = superblock(3, 1);
  for (std::size_t length = 8; length < whole.size(); ++length) {
    EXPECT_FALSE(is_marked(whole.substr(0, length))) << length;
  }
}

}  // namespace
}  // namespace pqw::h5
