// Damaged archives: each is an Error of the right code, whatever was done to it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
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

// Of every version that is read.
class ArchiveDamage : public test::DamagedArchive, public testing::WithParamInterface<int> {
 protected:
  ArchiveDamage() : DamagedArchive(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(Versions, ArchiveDamage, testing::Values(1, 2),
                         testing::PrintToStringParamName());

TEST_P(ArchiveDamage, TruncatedAtAnyLengthIsRefused) {
  const std::string other = dir_ / "cut";
  for (std::size_t length = 0; length < original_.size(); length += length < 600 ? 3 : 29) {
    set_content(other, original_.substr(0, length));
    const ErrorCode expected = length < 12 ? ErrorCode::kFormat : ErrorCode::kCorrupt;
    ASSERT_EQ(error_of([&] { read_all(other); }).code(), expected) << length;
    ASSERT_EQ(error_of([&] { verify_digest(other); }).code(), expected) << length;
    ASSERT_EQ(is_archive(other), length >= 12) << length;
  }
}

TEST_P(ArchiveDamage, TruncatedAndSignedAgainIsRefused) {
  for (std::size_t length = 512; length < original_.size(); length += 7) {
    set_content(path_, signed_again(original_.substr(0, length)));
    ASSERT_EQ(error_of([&] { read_all(path_); }).code(), ErrorCode::kCorrupt) << length;
  }
}

TEST_P(ArchiveDamage, BytesAtTheEndAreRefused) {
  set_content(path_, original_ + "x");
  EXPECT_EQ(error_of([&] { read_all(path_); }).code(), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kCorrupt);
  set_content(path_, signed_again(original_ + "x"));
  const Error error = error_of([&] { read_all(path_); });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("its superblock says"));
}

TEST_P(ArchiveDamage, EveryFlippedByteFailsTheDigest) {
  for (std::size_t i = 0; i < original_.size(); i += 5) {
    std::string damaged = original_;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    set_content(path_, damaged);
    ASSERT_NE(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kInvalidArgument) << i;
  }
}

TEST_P(ArchiveDamage, FlippedBytesAreFoundOnReading) {
  // Every bit of every byte: scripts/torture.
  for (std::size_t i = 0; i < original_.size(); i += 5) {
    std::string damaged = original_;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    if (i >= digest_ && i < digest_ + 64) continue;  // found by verify_digest alone
    set_content(path_, damaged);
    ASSERT_NE(error_of([&] { read_all(path_); }).code(), ErrorCode::kInvalidArgument) << i;
  }
}

TEST_P(ArchiveDamage, RandomDamageNeverCrashes) {
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

TEST_P(ArchiveDamage, DigestMismatchNamesBothDigests) {
  std::string damaged = original_;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  set_content(path_, damaged);
  const Error error = error_of([&] { verify_digest(path_); });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr(original_.substr(digest_, 64)));
}

TEST_P(ArchiveDamage, FilesOfOtherKindsAreNoArchives) {
  for (const std::string& bytes : {std::string(), std::string("text"), original_.substr(512)}) {
    set_content(path_, bytes);
    EXPECT_EQ(error_of([&] { read_all(path_); }).code(), ErrorCode::kFormat);
    EXPECT_EQ(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kFormat);
  }
  EXPECT_EQ(error_of([&] { read_all(dir_ / "none"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { read_all(dir_.path().string()); }).code(), ErrorCode::kNotFound);
}

TEST_P(ArchiveDamage, NewerVersionIsUnsupported) {
  std::string newer = original_;
  newer[20] = '3';
  set_content(path_, newer);
  const Error error = error_of([&] { read_all(path_); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(std::string(error.what()),
            path_ + ": version 3 of the format, this program reads versions 1 to 2");
}

TEST_P(ArchiveDamage, OlderSuperblockIsRefused) {
  std::string older = original_;
  older[520] = '\2';
  set_content(path_, signed_again(older));
  EXPECT_THAT(error_of([&] { read_all(path_); }).what(), HasSubstr("superblock of version 3"));
}

TEST_P(ArchiveDamage, AFileThatIsBeingWrittenIsRefused) {
  const int writer = ::open(path_.c_str(), O_RDWR);
  ASSERT_EQ(::flock(writer, LOCK_EX), 0);  // as HDF5 does
  for (const bool trusted : {false, true}) {
    const Error error = error_of([&] { read_all(path_, {.trusted = trusted}); });
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_EQ(error.what(), path_ + ": another program is writing it");
  }
  ::close(writer);
  EXPECT_NO_THROW(read_all(path_));
}

TEST_P(ArchiveDamage, AFileThatWasNotClosedIsRefused) {
  constexpr std::size_t kFlagsAt = 512 + 11;
  std::string marked = original_;
  marked[kFlagsAt] = 1;
  set_content(path_, signed_again(marked));
  for (const bool trusted : {false, true}) {
    const Error error = error_of([&] { read_all(path_, {.trusted = trusted}); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("was not closed by the program that wrote it"));
  }
}

// Its digests tell.
TEST_P(ArchiveDamage, DataThatIsChangedAfterOpeningIsAnError) {
  const auto bytes = test::counting_bytes(4800);
  const std::string data(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t at = original_.find(data);
  ASSERT_NE(at, std::string::npos);
  for (const bool trusted : {false, true}) {
    set_content(path_, original_);
    const ArchiveReader reader(path_, {.trusted = trusted});
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at + 7));
    file.put(static_cast<char>(data[7] ^ 1));
    file.close();
    EXPECT_EQ(error_of([&] { reader.read_plain(1); }).code(), ErrorCode::kCorrupt);
  }
}

TEST_P(ArchiveDamage, UnknownObjectsAndAttributesAreNoConcern) {
  edit([](hid_t file) {
    H5Gclose(H5Gcreate2(file, "later", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_external("/etc/passwd", "x", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_NO_THROW(read_all(path_));
}

TEST_P(ArchiveDamage, UntouchedEditIsReadable) {
  edit([](hid_t) {});
  EXPECT_NO_THROW(read_all(path_));
}

}  // namespace
}  // namespace pqw
