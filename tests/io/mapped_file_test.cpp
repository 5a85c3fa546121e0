#include "pqw/io/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "pqw/core/error.h"
#include "tests/temp_dir.h"

namespace pqw {
namespace {

TEST(MappedFile, ShowsTheBytesAlsoAfterRelease) {
  const test::TempDir dir;
  std::ofstream(dir / "f") << "abc";
  const MappedFile file(dir / "f");
  ASSERT_EQ(file.bytes().size(), 3u);
  file.release(file.bytes());
  EXPECT_EQ(file.bytes()[2], std::byte{'c'});
}

TEST(MappedFile, EmptyFileHasNoBytes) {
  const test::TempDir dir;
  std::ofstream(dir / "f").flush();
  EXPECT_TRUE(MappedFile(dir / "f").bytes().empty());
}

TEST(MappedFile, OnlyRegularFilesAreOpened) {
  const test::TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_THROW(MappedFile(dir / "fifo"), Error);
  EXPECT_THROW(MappedFile(dir.path().string()), Error);
  EXPECT_THROW(MappedFile("/dev/zero"), Error);
  try {
    MappedFile(dir / "none");
    FAIL() << "a missing file was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace pqw
