// Folders that appear complete or not at all.
#include "io/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "pqw/core/error.h"
#include "pqw/io/atomic_file.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

bool is_text(std::string_view name) { return name.ends_with(".txt"); }

void write(OutputFolder& folder, const std::string& name, const std::string& text) {
  AtomicFile file(folder.path_of(name));
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

class OutputFolderTest : public testing::Test {
 protected:
  // Makes an output folder with one file.
  void make(const std::string& path, bool overwrite = false, const std::string& text = "new") {
    OutputFolder folder(path, {.overwrite = overwrite}, is_text);
    write(folder, "a.txt", text);
    folder.commit();
  }

  std::optional<Error> error_of(const std::string& path, bool overwrite = false) {
    try {
      make(path, overwrite);
      return std::nullopt;
    } catch (const Error& error) {
      return error;
    }
  }

  std::string text_in(const std::string& name) { return test::content(dir_ / name); }
  bool has_temporary() { return fs::exists(dir_ / "out.pqw.tmp"); }

  const test::TempDir dir_;
};

TEST_F(OutputFolderTest, AppearsOnCommit) {
  {
    OutputFolder folder(dir_ / "out/", {}, is_text);
    write(folder, "a.txt", "1");
    EXPECT_FALSE(fs::exists(dir_ / "out"));
    folder.commit();
  }
  EXPECT_EQ(text_in("out/a.txt"), "1");
  EXPECT_FALSE(has_temporary());
}

TEST_F(OutputFolderTest, WithoutCommitNothingIsLeft) {
  {
    OutputFolder folder(dir_ / "out", {}, is_text);
    write(folder, "a.txt", "1");
  }
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  EXPECT_FALSE(has_temporary());
}

TEST_F(OutputFolderTest, AnEmptyFolderOrALinkToItIsFilled) {
  fs::create_directory(dir_ / "out");
  EXPECT_TRUE(is_output_folder(dir_ / "out"));
  make(dir_ / "out");
  EXPECT_FALSE(is_output_folder(dir_ / "out"));
  EXPECT_EQ(text_in("out/a.txt"), "new");
  fs::create_directory(dir_ / "real");
  fs::create_symlink("real", dir_ / "link");
  make(dir_ / "link/");
  EXPECT_TRUE(fs::is_symlink(dir_ / "link"));
  EXPECT_EQ(text_in("real/a.txt"), "new");
}

TEST_F(OutputFolderTest, ANewNameMeansAFolderByItsSlash) {
  EXPECT_TRUE(is_output_folder(dir_ / "out/"));
  EXPECT_FALSE(is_output_folder(dir_ / "out"));
}

TEST_F(OutputFolderTest, AFullFolderIsReplacedOnlyIfToldTo) {
  make(dir_ / "out/", false, "old");
  test::set_content(dir_ / "out/b.txt", "old");
  const auto error = error_of(dir_ / "out/");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kExists);
  EXPECT_EQ(text_in("out/a.txt"), "old");
  make(dir_ / "out/", true);
  EXPECT_EQ(text_in("out/a.txt"), "new");
  EXPECT_FALSE(fs::exists(dir_ / "out/b.txt"));
  EXPECT_FALSE(has_temporary());
}

TEST_F(OutputFolderTest, FilesOfOthersAreNeverRemoved) {
  make(dir_ / "out/", false, "old");
  test::set_content(dir_ / "out/thesis.tex", "");
  auto error = error_of(dir_ / "out/", true);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error->what(), HasSubstr("holds 'thesis.tex', which is not a file of a model"));
  fs::remove(dir_ / "out/thesis.tex");
  fs::create_directory(dir_ / "out/x.txt");
  error = error_of(dir_ / "out/", true);
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("holds 'x.txt'"));
  EXPECT_EQ(text_in("out/a.txt"), "old");
}

TEST_F(OutputFolderTest, AFileOrAMissingParentIsAnError) {
  test::set_content(dir_ / "file", "");
  EXPECT_THAT(error_of(dir_ / "file")->what(), HasSubstr("is not a folder"));
  EXPECT_EQ(error_of(dir_ / "none/out/")->code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of("/")->code(), ErrorCode::kInvalidArgument);
}

TEST_F(OutputFolderTest, ASecondWriterIsRefused) {
  const OutputFolder folder(dir_ / "out/", {}, is_text);
  const auto error = error_of(dir_ / "out/");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kBusy);
}

TEST_F(OutputFolderTest, FilesOfADeadWriterAreRemovedAndItsPartsKept) {
  fs::create_directories(dir_ / "out.pqw.tmp/a.txt.pqw.parts");
  test::set_content(dir_ / "out.pqw.tmp/a.txt.pqw.tmp", "half");
  test::set_content(dir_ / "out.pqw.tmp/b.txt", "whole");
  OutputFolder folder(dir_ / "out/", {}, is_text);
  EXPECT_FALSE(fs::exists(dir_ / "out.pqw.tmp/a.txt.pqw.tmp"));
  EXPECT_FALSE(fs::exists(dir_ / "out.pqw.tmp/b.txt"));
  EXPECT_TRUE(fs::exists(dir_ / "out.pqw.tmp/a.txt.pqw.parts"));
}

TEST_F(OutputFolderTest, ATemporaryFolderOfSomebodyElseIsKept) {
  for (const std::string name : {"mine", "folder/"}) {
    const std::string path = dir_ / "out.pqw.tmp/" + name;
    fs::create_directories(name.ends_with('/') ? path : fs::path(path).parent_path().string());
    if (!name.ends_with('/')) test::set_content(path, "x");
    const auto error = error_of(dir_ / "out/");
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->code(), ErrorCode::kExists);
    EXPECT_THAT(error->what(), HasSubstr("which is not of an interrupted run; rename that folder"));
    EXPECT_TRUE(fs::exists(path));
    fs::remove_all(dir_ / "out.pqw.tmp");
  }
}

TEST_F(OutputFolderTest, AReplacedFolderPassesOnItsPermissions) {
  make(dir_ / "out/");
  fs::permissions(dir_ / "out", fs::perms::owner_all);
  make(dir_ / "out/", true);
  EXPECT_EQ(fs::status(dir_ / "out").permissions(), fs::perms::owner_all);
}

TEST_F(OutputFolderTest, AFolderThatAppearsMeanwhileStays) {
  OutputFolder folder(dir_ / "out/", {}, is_text);
  write(folder, "a.txt", "1");
  fs::create_directory(dir_ / "out");
  test::set_content(dir_ / "out/b.txt", "theirs");
  EXPECT_THROW(folder.commit(), Error);
  EXPECT_EQ(text_in("out/b.txt"), "theirs");
}

TEST_F(OutputFolderTest, ASignalHandlerRemovesIt) {
  const pid_t child = ::fork();
  if (child == 0) {
    OutputFolder folder(dir_ / "out/", {}, is_text);
    write(folder, "a.txt", "1");
    AtomicFile open(folder.path_of("b.txt"));
    ::_exit(remove_temporaries_in_signal_handler() == 3 ? 0 : 1);  // two files, then the folder
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(has_temporary());
}

}  // namespace
}  // namespace pqw
