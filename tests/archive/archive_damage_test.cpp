// Damaged and hostile archives: each is an Error of the right code, whatever was done to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <random>

#include "archive/digest.h"
#include "archive/user_block.h"
#include "h5/handle.h"
#include "pqw/archive/archive.h"
#include "tests/archive/samples.h"
#include "tests/temp_dir.h"

namespace pqw {
namespace {

using test::content;
using test::counting_bytes;
using test::error_of;
using test::read_all;
using test::set_content;
using ::testing::HasSubstr;

// Gives the bytes a first block that fits them, as whoever plants something in them would.
std::string signed_again(std::string file) {
  const auto rest = std::as_bytes(std::span(file)).subspan(archive::kUserBlockBytes);
  const auto block =
      archive::render({file.size(), archive::sha256_hex(rest, [](std::span<const std::byte>) {})});
  std::copy_n(reinterpret_cast<const char*>(block.data()), block.size(), file.begin());
  return file;
}

class ArchiveDamage : public ::testing::Test {
 protected:
  ArchiveDamage() {
    ArchiveWriter writer(path_, {.metadata = {{"key", "value"}}, .n_tensors = 2, .name_bytes = 2});
    writer.add(test::pq_record("w"));
    writer.add_plain({"b", DType::kF32, {1200}}, counting_bytes(4800));
    writer.commit();
    original_ = content(path_);
    digest_ = original_.find("sha256 ") + 7;
  }

  // What reading ends in when HDF5 was let loose on the file and the first block fits again.
  Error error_after(const std::function<void(hid_t)>& edit) {
    set_content(path_, original_);
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    EXPECT_GE(file, 0);
    edit(file);
    EXPECT_GE(H5Fclose(file), 0);
    set_content(path_, signed_again(content(path_)));
    EXPECT_NO_THROW(verify_digest(path_));
    return error_of([&] { read_all(path_); });
  }

  // Replaces the attribute of tensor 'w' by a text.
  Error error_with_text(const char* attribute, const std::string& text) {
    return error_after([&](hid_t file) {
      const hid_t group = H5Gopen2(file, "tensors/w", H5P_DEFAULT);
      H5Adelete(group, attribute);
      const hid_t type = H5Tcopy(H5T_C_S1);
      H5Tset_size(type, text.size());
      const hid_t space = H5Screate(H5S_SCALAR);
      const hid_t id = H5Acreate2(group, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
      EXPECT_GE(H5Awrite(id, type, text.data()), 0);
      H5Aclose(id);
      H5Sclose(space);
      H5Tclose(type);
      H5Gclose(group);
    });
  }

  // Puts a dataset of 2 bytes made with these properties in the place of the codes.
  Error error_with_codes(hid_t type, hsize_t count, const std::function<void(hid_t)>& set) {
    return error_after([&](hid_t file) {
      EXPECT_GE(H5Ldelete(file, "tensors/w/codes", H5P_DEFAULT), 0);
      const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
      set(list);
      const hid_t space = H5Screate_simple(1, &count, nullptr);
      const hid_t id =
          H5Dcreate2(file, "tensors/w/codes", type, space, H5P_DEFAULT, list, H5P_DEFAULT);
      EXPECT_GE(id, 0);
      H5Dclose(id);
      H5Sclose(space);
      H5Pclose(list);
    });
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
  std::string original_;
  std::size_t digest_ = 0;  // where it stands in the first block
};

TEST_F(ArchiveDamage, TruncatedAtAnyLengthIsRefused) {
  const std::string other = dir_ / "cut";
  for (std::size_t length = 0; length < original_.size(); length += length < 1200 ? 1 : 13) {
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
  for (std::size_t i = 0; i < original_.size(); i += i < 1024 ? 1 : 5) {
    std::string damaged = original_;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    set_content(path_, damaged);
    ASSERT_NE(error_of([&] { verify_digest(path_); }).code(), ErrorCode::kInvalidArgument) << i;
  }
}

TEST_F(ArchiveDamage, FlippedBytesAreFoundOrInTheDataOfTheLargeTensor) {
  const std::size_t data =
      original_.find(std::string(reinterpret_cast<const char*>(counting_bytes(100).data()), 100));
  ASSERT_NE(data, std::string::npos);
  for (std::size_t i = 0; i < original_.size(); ++i) {
    if (i >= data && i < data + 4800) continue;
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
    if (error.code() == ErrorCode::kInvalidArgument) continue;  // hit data only
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

TEST_F(ArchiveDamage, UntouchedEditIsReadable) {
  EXPECT_STREQ(error_after([](hid_t) {}).what(), "no error");
}

TEST_F(ArchiveDamage, PlantedLinksAreRefused) {
  const Error soft = error_after([](hid_t file) {
    H5Lcreate_soft("/tensors/b", file, "tensors/soft", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(soft.code(), ErrorCode::kCorrupt);
  EXPECT_EQ(std::string(soft.what()),
            path_ + ": tensor 'soft': a soft, external or unknown link, expected a hard link");
  const Error external = error_after([](hid_t file) {
    H5Lcreate_external("/etc/passwd", "x", file, "tensors/e", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(external.code(), ErrorCode::kCorrupt);
  const Error second = error_after([](hid_t file) {
    H5Lcreate_hard(file, "tensors/b", file, "tensors/c", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(second.what(), HasSubstr("2 links to it, expected one"));
  const Error cycle = error_after([](hid_t file) {
    H5Lcreate_hard(file, "/", file, "tensors/root", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(cycle.code(), ErrorCode::kCorrupt);
  const Error section = error_after([](hid_t file) {
    H5Ldelete(file, "tensors/w/codes", H5P_DEFAULT);
    H5Lcreate_soft("codebooks", file, "tensors/w/codes", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(section.what(), HasSubstr("tensor 'w': section 'codes': a soft"));
}

TEST_F(ArchiveDamage, SecondSpellingOfANameIsRefused) {
  const Error error = error_after([](hid_t file) {
    H5Lmove(file, "tensors/b", file, "tensors/%62", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("link '%62' is no name of a tensor"));
}

TEST_F(ArchiveDamage, DataElsewhereIsRefused) {
  const Error external = error_with_codes(
      H5T_STD_U8LE, 2, [](hid_t list) { H5Pset_external(list, "/etc/hostname", 0, 2); });
  EXPECT_EQ(external.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(external.what(), HasSubstr("its data is in other files"));
  const Error is_virtual = error_with_codes(H5T_STD_U8LE, 2, [](hid_t list) {
    const hsize_t count = 2;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    H5Pset_virtual(list, space, "/tmp/other.h5", "x", space);
    H5Sclose(space);
  });
  EXPECT_THAT(is_virtual.what(), HasSubstr("a chunked or virtual layout"));
}

TEST_F(ArchiveDamage, ChunksAndFiltersAreRefused) {
  const Error error = error_with_codes(H5T_STD_U8LE, 2, [](hid_t list) {
    const hsize_t chunk = 2;
    H5Pset_chunk(list, 1, &chunk);
    H5Pset_deflate(list, 1);
  });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("tensor 'w': section 'codes': a chunked"));
}

TEST_F(ArchiveDamage, UnallocatedDataIsRefused) {
  const Error error = error_with_codes(H5T_STD_U8LE, hsize_t{1} << 40, [](hid_t) {});
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("0 bytes stored, its shape needs 1099511627776"));
}

TEST_F(ArchiveDamage, TypesThatArchivesDoNotHaveAreRefused) {
  for (const hid_t type : {H5T_STD_U16BE, H5T_C_S1, H5T_STD_REF_OBJ, H5T_IEEE_F32BE}) {
    const Error error = error_with_codes(type, 2, [](hid_t) {});
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("a type that archives do not have"));
  }
}

TEST_F(ArchiveDamage, MissingPartsAreRefused) {
  const Error no_tensors = error_after([](hid_t file) { H5Ldelete(file, "tensors", H5P_DEFAULT); });
  EXPECT_EQ(no_tensors.code(), ErrorCode::kCorrupt);
  for (const char* attribute : {"codec", "dtype", "shape"}) {
    const Error error = error_after(
        [&](hid_t file) { H5Adelete_by_name(file, "tensors/w", attribute, H5P_DEFAULT); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << attribute;
    EXPECT_THAT(error.what(), HasSubstr("tensor 'w'")) << attribute;
  }
  for (const char* attribute : {"format", "version"}) {
    const Error error = error_after([&](hid_t file) { H5Adelete(file, attribute); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << attribute;
  }
}

TEST_F(ArchiveDamage, WithoutOptionsIsReadable) {
  const Error error =
      error_after([](hid_t file) { H5Adelete_by_name(file, "tensors/w", "options", H5P_DEFAULT); });
  EXPECT_STREQ(error.what(), "no error");
}

TEST_F(ArchiveDamage, AttributesOfTheWrongContentAreRefused) {
  EXPECT_THAT(error_with_text("codec", "plain").what(), HasSubstr("claims to be plain"));
  EXPECT_THAT(error_with_text("codec", "P Q").what(), HasSubstr("codec 'P Q'"));
  EXPECT_THAT(error_with_text("codec", std::string(65, 'c')).what(),
              HasSubstr("attribute 'codec'"));
  EXPECT_THAT(error_with_text("dtype", "F33").what(), HasSubstr("dtype 'F33'"));
  EXPECT_THAT(error_with_text("shape", "4,6").what(), HasSubstr("attribute 'shape' is not"));
  EXPECT_THAT(error_with_text("features", "a,,b").what(), HasSubstr("features 'a,,b'"));
  EXPECT_THAT(error_with_text("options", std::string(32769, 'o')).what(),
              HasSubstr("attribute 'options'"));
}

TEST_F(ArchiveDamage, UnknownFeatureIsUnsupported) {
  const Error error = error_with_text("features", "entropy_coded");
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("tensor 'w': feature 'entropy_coded'"));
}

TEST_F(ArchiveDamage, ShapesThatOverflowAreRefused) {
  const Error error = error_after([](hid_t file) {
    const hid_t group = H5Gopen2(file, "tensors/w", H5P_DEFAULT);
    H5Adelete(group, "shape");
    const hsize_t count = 2;
    const std::uint64_t shape[2] = {std::uint64_t{1} << 33, std::uint64_t{1} << 33};
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t id = H5Acreate2(group, "shape", H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, H5T_STD_U64LE, shape);
    H5Aclose(id);
    H5Sclose(space);
    H5Gclose(group);
  });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("overflows 63 bits"));
}

TEST_F(ArchiveDamage, GroupsInPlaceOfSectionsAreRefused) {
  const Error error = error_after([](hid_t file) {
    H5Gclose(H5Gcreate2(file, "tensors/w/more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  });
  EXPECT_THAT(error.what(), HasSubstr("section 'more': no dataset"));
}

TEST_F(ArchiveDamage, TooManySectionsAreRefused) {
  const Error error = error_after([](hid_t file) {
    for (int i = 0; i < 63; ++i) {
      const std::string name = "tensors/w/s" + std::to_string(i);
      H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
  });
  EXPECT_THAT(error.what(), HasSubstr("more than 64 links"));
}

TEST_F(ArchiveDamage, UnknownObjectsAndAttributesAreNoConcern) {
  const Error error = error_after([](hid_t file) {
    H5Gclose(H5Gcreate2(file, "later", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_external("/etc/passwd", "x", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_STREQ(error.what(), "no error");
}

}  // namespace
}  // namespace pqw
