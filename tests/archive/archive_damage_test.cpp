// Damaged archives: each is an Error of the right code, whatever was done to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/archive/damaged_archive.h"

namespace pqw {
namespace {

using test::content;
using test::error_of;
using test::read_all;
using test::set_content;
using test::signed_again;
using ::testing::HasSubstr;

using ArchiveDamage = test::DamagedArchive;

TEST_F(ArchiveDamage, TruncatedAtAnyLengthIsRefused) {
  const std::string other = dir_ / "cut";
  for (std::size_t length = 0; length < original_.size(); length += length < 600 ? 3 : 29) {
    set_content(other, original_.substr(0, length));
    const ErrorCode expected = length < 12 ? ErrorCode::kFormat : ErrorCode::kCorrupt;
    ASSERT_EQ(error_of([&] { read_all(other); }).code(), expected) << length;
    ASSERT_EQ(error_of([&] { verify_digest(other); }).code(), expected) << length;
    ASSERT_EQ(is_archive(other), length >= 12) << length;
  }
}

TEST_F(ArchiveDamage, TruncatedAndSignedAgainIsRefused) {
  for (std::size_t length = 512; length < original_.size(); length += 7) {
    set_content(path_, signed_again(original_.substr(0, length)));
    ASSERT_EQ(error_of([&] { read_all(path_); }).code(), ErrorCode::kCorrupt) << length;
  }
}

TEST_F(ArchiveDamage, BytesAtTheEndAreRefused) {
  set_content(path_, original_ + "x");
  EXPECT_EQ(error_of([&] { read_all(path_); }).code(), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kCorrupt);
  set_content(path_, signed_again(original_ + "x"));
  const Error error = error_of([&] { read_all(path_); });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("its superblock says"));
}

TEST_F(ArchiveDamage, EveryFlippedByteFailsTheDigest) {
  for (std::size_t i = 0; i < original_.size(); i += 5) {
    std::string damaged = original_;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    set_content(path_, damaged);
    ASSERT_NE(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kInvalidArgument) << i;
  }
}

TEST_F(ArchiveDamage, FlippedBytesAreFoundOnReading) {
  // Every bit of every byte: scripts/torture.
  for (std::size_t i = 0; i < original_.size(); i += 5) {
    std::string damaged = original_;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    if (i >= digest_ && i < digest_ + 64) continue;  // found by verify_digest alone
    set_content(path_, damaged);
    ASSERT_NE(error_of([&] { read_all(path_); }).code(), ErrorCode::kInvalidArgument) << i;
  }
}

TEST_F(ArchiveDamage, RandomDamageNeverCrashes) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = original_;
    for (int n = 0; n < 8; ++n) damaged[512 + random() % (damaged.size() - 512)] ^= char(random());
    set_content(path_, signed_again(damaged));
    const Error error = error_of([&] { read_all(path_); });
    ASSERT_TRUE(error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kUnsupported)
        << error.what();
  }
}

TEST_F(ArchiveDamage, DigestMismatchNamesBothDigests) {
  std::string damaged = original_;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  set_content(path_, damaged);
  const Error error = error_of([&] { verify_digest(path_); });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr(original_.substr(digest_, 64)));
}

TEST_F(ArchiveDamage, FilesOfOtherKindsAreNoArchives) {
  for (const std::string& bytes : {std::string(), std::string("text"), original_.substr(512)}) {
    set_content(path_, bytes);
    EXPECT_EQ(error_of([&] { read_all(path_); }).code(), ErrorCode::kFormat);
    EXPECT_EQ(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kFormat);
  }
  EXPECT_EQ(error_of([&] { read_all(dir_ / "none"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { read_all(dir_.path().string()); }).code(), ErrorCode::kFormat);
}

TEST_F(ArchiveDamage, NewerVersionIsUnsupported) {
  std::string newer = original_;
  newer[20] = '2';
  set_content(path_, newer);
  const Error error = error_of([&] { read_all(path_); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(std::string(error.what()),
            path_ + ": version 2 of the format, this program reads version 1");
}

TEST_F(ArchiveDamage, OlderSuperblockIsRefused) {
  std::string older = original_;
  older[520] = '\2';
  set_content(path_, signed_again(older));
  EXPECT_THAT(error_of([&] { read_all(path_); }).what(), HasSubstr("superblock of version 3"));
}

}  // namespace
}  // namespace pqw
