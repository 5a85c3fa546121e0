// An output that is an input, by every name that it may have.
#include "io/different_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "pqw/io/same_file.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;

class DifferentFiles : public testing::Test {
 protected:
  DifferentFiles() {
    fs::create_directory(dir_ / "sub");
    fs::create_directory_symlink(dir_.path(), dir_ / "sub/up");
    write("m");
    write("other");
    fs::create_symlink("m", dir_ / "link");
    fs::create_symlink("link", dir_ / "link_to_link");
    fs::create_hard_link(dir_ / "m", dir_ / "hard");
    before_ = fs::current_path();
    fs::current_path(dir_.path());
  }
  ~DifferentFiles() override { fs::current_path(before_); }

  void write(const std::string& name) const { std::ofstream(dir_ / name) << "content"; }

  std::string message_of(const std::string& input, const std::string& output) const {
    try {
      require_different_files(std::span(&input, 1), output);
    } catch (const SameFileError& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "no error";
  }

  const test::TempDir dir_;
  fs::path before_;
};

TEST_F(DifferentFiles, EverySpellingOfOneFileIsRefused) {
  const std::string names[] = {"m",        "./m",  "sub/../m", "sub/up/m", "link", "link_to_link",
                               dir_ / "m", "hard", "sub//../m"};
  for (const std::string& input : names) {
    for (const std::string& output : names) {
      EXPECT_EQ(message_of(input, output), input + ": input and output are the same file" +
                                               (input == output ? "" : ": " + output) +
                                               "; give the output another name");
    }
    EXPECT_EQ(message_of(input, "other"), "no error");
    EXPECT_EQ(message_of(input, "new"), "no error");
    EXPECT_EQ(message_of(input, "none/m"), "no error");
  }
}

TEST_F(DifferentFiles, AnInputMayNotBeTheTemporarySibling) {
  write("out.pqw.tmp");
  fs::create_symlink("out.pqw.tmp", "to_temporary");
  for (const std::string output : {"out", "./out", "sub/up/out"}) {
    EXPECT_THAT(message_of("out.pqw.tmp", output),
                testing::StartsWith("out.pqw.tmp: input and output are the same file: " + output));
    EXPECT_NE(message_of("to_temporary", output), "no error");
  }
  // Of a link it is the sibling of what the link leads to.
  write("m.pqw.tmp");
  EXPECT_NE(message_of("m.pqw.tmp", "link"), "no error");
  write("link.pqw.tmp");
  EXPECT_EQ(message_of("link.pqw.tmp", "link"), "no error");
}

TEST_F(DifferentFiles, AnInputMayNotLieAmongTheParts) {
  fs::create_directory("out.pqw.parts");
  write("out.pqw.parts/a.part");
  fs::create_symlink("out.pqw.parts/a.part", "to_part");
  fs::create_symlink("../m", "out.pqw.parts/from_parts");
  for (const std::string input : {"out.pqw.parts/a.part", "to_part", "out.pqw.parts/from_parts"}) {
    for (const std::string output : {"out", "./out", "sub/up/out"}) {
      EXPECT_THAT(message_of(input, output),
                  testing::StartsWith(input + ": input and output are the same file: " + output));
    }
    EXPECT_EQ(message_of(input, "out2"), "no error");
  }
  fs::current_path("out.pqw.parts");
  EXPECT_NE(message_of("a.part", "../out"), "no error") << "a folder without a name";
}

TEST_F(DifferentFiles, AllInputsAreLookedAtAndEmptyNamesAreNone) {
  const std::string inputs[] = {"other", "", "m"};
  EXPECT_THROW(require_different_files(inputs, "link"), Error);
  EXPECT_NO_THROW(require_different_files(inputs, "sub"));
  EXPECT_NO_THROW(require_different_files(inputs, ""));
  EXPECT_EQ(message_of("nothing", "nothing"), "no error") << "whoever opens it says so";
}

TEST_F(DifferentFiles, TwoOutputsMayNotReplaceEachOther) {
  const std::pair<std::string, std::string> wrong[] = {
      {"new", "new"},     {"new", "./new"},      {"new", "sub/up/new"},
      {"m", "link"},      {"new", dir_ / "new"}, {"m", "sub/../m"},
      {"a", "a.pqw.tmp"}, {"a.pqw.tmp", "a"},    {"a", "a.pqw.parts/b"}};
  for (const auto& [first, second] : wrong) {
    EXPECT_THROW(require_different_outputs(first, second), Error) << first << " " << second;
  }
  EXPECT_NO_THROW(require_different_outputs("new", "new2"));
  EXPECT_NO_THROW(require_different_outputs("m", "sub/m"));
  EXPECT_NO_THROW(require_different_outputs("m", "hard")) << "each name is replaced by itself";
  EXPECT_NO_THROW(require_different_outputs("", ""));
}

}  // namespace
}  // namespace pqw
