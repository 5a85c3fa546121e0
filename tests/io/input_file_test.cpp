#include "io/input_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>

#include "pqw/core/error.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::HasSubstr;

class InputFileTest : public testing::Test {
 protected:
  void write(const std::string& content) { std::ofstream(path_, std::ios::binary) << content; }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "f";
};

TEST_F(InputFileTest, ReadsAtPositions) {
  write("abcdef");
  const InputFile file(path_);
  EXPECT_EQ(file.size(), 6u);
  EXPECT_EQ(file.read(2, 3), (std::vector{std::byte{'c'}, std::byte{'d'}, std::byte{'e'}}));
  EXPECT_EQ(file.read(6, 0).size(), 0u);
  EXPECT_EQ(file.read_start(4).size(), 4u);
  EXPECT_EQ(file.read_start(40).size(), 6u);
  EXPECT_NO_THROW(file.require_unchanged());
}

TEST_F(InputFileTest, ReadingBeyondTheEndIsAnError) {
  write("abcdef");
  const InputFile file(path_);
  EXPECT_EQ(test::error_of([&] { (void)file.read(4, 3); }).code(), ErrorCode::kIo);
}

TEST_F(InputFileTest, AFileCutMeanwhileIsAnErrorNotASignal) {
  write(std::string(1 << 20, 'x'));
  const InputFile file(path_);
  std::filesystem::resize_file(path_, 10);
  const Error error = test::error_of([&] { (void)file.read(5, 1000); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_THAT(error.what(), HasSubstr("ends at byte 10 of 1048576"));
  EXPECT_THAT(test::error_of([&] { file.require_unchanged(); }).what(), HasSubstr("was changed"));
}

TEST_F(InputFileTest, AnotherTimeOfChangeIsNoticed) {
  write("abc");
  const InputFile file(path_);
  std::filesystem::last_write_time(
      path_, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_THAT(test::error_of([&] { file.require_unchanged(); }).what(), HasSubstr("was changed"));
}

TEST_F(InputFileTest, MemoryThatIsNotThereIsAnError) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer ends the process where memory is missing";
#endif
  write("abc");
  const InputFile file(path_);
  const Error error = test::error_of([&] { (void)file.read(0, std::size_t{1} << 60); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_THAT(error.what(), HasSubstr("not enough memory"));
}

TEST_F(InputFileTest, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {dir_ / "fifo", dir_.path().string(), std::string("/dev/zero")}) {
    EXPECT_EQ(test::error_of([&] { InputFile file(path); }).code(), ErrorCode::kFormat) << path;
  }
  EXPECT_EQ(test::error_of([&] { InputFile file(dir_ / "none"); }).code(), ErrorCode::kNotFound);
}

TEST(InputFilePart, IsReadByItsOwnPositions) {
  const test::TempDir dir;
  test::set_content(dir / "f", "0123456789");
  const InputFile whole(dir / "f");
  const InputFile part = whole.part(2, 6), inner = part.part(1, 3);
  EXPECT_EQ(part.size(), 6u);
  EXPECT_TRUE(part.starts_with("234567"));
  EXPECT_FALSE(part.starts_with("2345678"));
  EXPECT_TRUE(inner.starts_with("345"));
  EXPECT_NO_THROW(part.require_unchanged());
  test::set_content(dir / "f", "01234567890");
  EXPECT_THROW(part.require_unchanged(), Error);
}

}  // namespace
}  // namespace pqw
