#include "pqw/io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "pqw/core/error.h"
#include "tests/temp_dir.h"

namespace pqw {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return (std::ostringstream() << file.rdbuf()).str();
}

std::size_t files_in(const test::TempDir& dir) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(dir.path()),
                                                std::filesystem::directory_iterator()));
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  const test::TempDir dir;
  AtomicFile file(dir / "out", false);
  file.write(bytes_of("hello world"));
  file.write_at(0, bytes_of("H"));
  EXPECT_FALSE(std::filesystem::exists(dir / "out"));
  file.commit();
  EXPECT_EQ(content(dir / "out"), "Hello world");
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(AtomicFile, AbandonedLeavesTheOldFileAndNoTemporary) {
  const test::TempDir dir;
  std::ofstream(dir / "out") << "old";
  {
    AtomicFile file(dir / "out", true);
    file.write(bytes_of("new"));
  }
  EXPECT_EQ(content(dir / "out"), "old");
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(AtomicFile, ReplacesOnlyWhenAsked) {
  const test::TempDir dir;
  std::ofstream(dir / "out") << "old";
  try {
    AtomicFile file(dir / "out", false);
    FAIL() << "an existing target was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kExists);
  }
  AtomicFile file(dir / "out", true);
  file.write(bytes_of("new"));
  file.commit();
  EXPECT_EQ(content(dir / "out"), "new");
}

TEST(AtomicFile, TargetMadeMeanwhileIsKept) {
  const test::TempDir dir;
  AtomicFile file(dir / "out", false);
  std::ofstream(dir / "out") << "theirs";
  EXPECT_THROW(file.commit(), Error);
  EXPECT_EQ(content(dir / "out"), "theirs");
}

TEST(AtomicFile, SignalHandlerRemovesLiveTemporariesOnly) {
  const test::TempDir dir;
  AtomicFile done(dir / "done", false);
  done.commit();
  AtomicFile open(dir / "open", false);
  remove_temporaries_in_signal_handler();
  EXPECT_FALSE(std::filesystem::exists(open.temporary_path()));
  EXPECT_TRUE(std::filesystem::exists(dir / "done"));
}

TEST(AtomicFile, LinkStaysALinkToTheNewFile) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "store");
  std::ofstream(dir / "store/out") << "old";
  std::filesystem::create_symlink("store/out", dir / "link");
  EXPECT_THROW(AtomicFile(dir / "link", false), Error);
  AtomicFile file(dir / "link", true);
  file.write(bytes_of("new"));
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(content(dir / "store/out"), "new");
}

TEST(AtomicFile, WhatIsNoRegularFileIsNeverReplaced) {
  const test::TempDir dir;
  const std::string fifo = dir / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_directory(dir / "folder");
  std::filesystem::create_symlink("fifo", dir / "to_fifo");
  std::filesystem::create_symlink("folder", dir / "to_folder");
  std::filesystem::create_symlink("nothing", dir / "to_nothing");
  for (const char* name : {"fifo", "folder", "to_fifo", "to_folder", "to_nothing"}) {
    EXPECT_THROW(AtomicFile(dir / name, true), Error) << name;
    EXPECT_THROW(AtomicFile(dir / name, false), Error) << name;
  }
  EXPECT_THROW(AtomicFile("", true), Error);
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
  EXPECT_EQ(files_in(dir), 5u);
}

TEST(AtomicFile, FolderThatIsMissingIsAnError) {
  const test::TempDir dir;
  EXPECT_THROW(AtomicFile(dir / "none/out", false), Error);
  EXPECT_THROW(AtomicFile(dir.path().string(), true), Error);
}

}  // namespace
}  // namespace pqw
