// The manifest of version 1: what it holds, and that reading notices everything it covers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>
#include <functional>

#include "tests/archive/damaged_archive.h"
#include "tests/archive/stored_bytes.h"

namespace pqw {
namespace {

using namespace std::string_literals;
using archive::Digest;
using archive::sha256;
using test::counting_bytes;
using test::error_of;
using test::read_all;
using ::testing::HasSubstr;

class Version1Manifest : public test::DamagedArchive {
 protected:
  Version1Manifest() : DamagedArchive(1) {}

  std::vector<Digest> manifest() {
    const std::vector<std::byte> bytes = test::stored_bytes(path_, "manifest");
    std::vector<Digest> digests(bytes.size() / sizeof(Digest));
    std::memcpy(digests.data(), bytes.data(), digests.size() * sizeof(Digest));
    return digests;
  }

  void set_manifest(const std::vector<Digest>& digests) {
    edit([&](hid_t file) {
      const hid_t dataset = H5Dopen2(file, "manifest", H5P_DEFAULT);
      EXPECT_GE(H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, digests.data()), 0);
      H5Dclose(dataset);
    });
  }
};

Digest digest_of(const std::string& text) { return sha256(std::as_bytes(std::span(text))); }

TEST_F(Version1Manifest, IsWhatTheSpecificationSays) {
  const std::string metadata = R"({"key":"value"})";
  const std::string list = "text\0metadata\0"s + std::to_string(metadata.size()) + "\0"s +
                           "group\0tensors/w\0pq\0F32\0[4, 6]\0\0block_size=3,n_centroids=4\0"s
                           "array\0tensors/w/codebooks\0F16\0[1, 4, 3]\0"s
                           "array\0tensors/w/codes\0U8\0[2]\0"s
                           "array\0tensors/b\0F32\0[1200]\0"s;
  const Record record = test::pq_record("w");
  std::vector<Digest> expected = {digest_of(list), digest_of(metadata),
                                  sha256(record.sections[0].bytes),
                                  sha256(record.sections[1].bytes), sha256(counting_bytes(4800))};
  expected.insert(expected.begin(), sha256(std::as_bytes(std::span(expected))));
  EXPECT_TRUE(manifest() == expected);
}

TEST_F(Version1Manifest, DataOfAnotherDigestIsRefusedOnReading) {
  edit([](hid_t file) {
    const hid_t dataset = H5Dopen2(file, "tensors/w/codes", H5P_DEFAULT);
    const unsigned char codes[2] = {1, 2};
    H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, codes);
    H5Dclose(dataset);
  });
  const ArchiveReader reader(path_);
  EXPECT_EQ(reader.read_plain(1), counting_bytes(4800));
  const Error found = error_of([&] { (void)reader.read(0); });
  EXPECT_EQ(found.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(found.what(), HasSubstr("tensor 'w': section 'codes': its bytes have the SHA-256"));
}

TEST_F(Version1Manifest, ChangedNamesTypesShapesAndAttributesAreRefused) {
  const std::vector<std::function<void(hid_t)>> edits = {
      [](hid_t file) { H5Lmove(file, "tensors/b", file, "tensors/c", H5P_DEFAULT, H5P_DEFAULT); },
      [](hid_t file) { H5Ldelete(file, "metadata", H5P_DEFAULT); },
      [](hid_t file) { H5Adelete_by_name(file, "tensors/w", "options", H5P_DEFAULT); },
      [](hid_t file) {
        H5Lmove(file, "tensors/w/codes", file, "tensors/w/other", H5P_DEFAULT, H5P_DEFAULT);
      },
      [](hid_t file) {
        const hid_t group = H5Gopen2(file, "tensors/w", H5P_DEFAULT);
        H5Adelete(group, "shape");
        const hsize_t count = 2;
        const std::uint64_t other[2] = {6, 4};
        const hid_t space = H5Screate_simple(1, &count, nullptr);
        const hid_t shape =
            H5Acreate2(group, "shape", H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT);
        EXPECT_GE(H5Awrite(shape, H5T_STD_U64LE, other), 0);
        H5Aclose(shape);
        H5Sclose(space);
        H5Gclose(group);
      },
      [](hid_t file) {  // the same bytes as integers
        H5Ldelete(file, "tensors/b", H5P_DEFAULT);
        const hsize_t count = 1200;
        const hid_t space = H5Screate_simple(1, &count, nullptr);
        const hid_t dataset = H5Dcreate2(file, "tensors/b", H5T_STD_I32LE, space, H5P_DEFAULT,
                                         H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(dataset, H5T_STD_I32LE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                 counting_bytes(4800).data());
        H5Dclose(dataset);
        H5Sclose(space);
      }};
  for (std::size_t i = 0; i < edits.size(); ++i) {
    edit(edits[i]);
    EXPECT_EQ(error().code(), ErrorCode::kCorrupt) << i;
    EXPECT_THAT(error().what(), HasSubstr("manifest: ")) << i;
  }
}

TEST_F(Version1Manifest, MissingOrDamagedManifestIsRefused) {
  edit([](hid_t file) { H5Ldelete(file, "manifest", H5P_DEFAULT); });
  EXPECT_THAT(error().what(), HasSubstr("manifest is missing"));
  test::set_content(path_, original_);
  std::vector<Digest> digests = manifest();
  digests[3][0] ^= std::byte{1};
  set_manifest(digests);
  EXPECT_THAT(error().what(), HasSubstr("manifest: its bytes have the SHA-256"));
  digests[0] = sha256(std::as_bytes(std::span(digests)).subspan(32));
  set_manifest(digests);
  EXPECT_THAT(error().what(), HasSubstr("tensor 'w': section 'codebooks'"));
}

TEST_F(Version1Manifest, OfAnotherNumberOfDatasetsIsRefused) {
  edit([](hid_t file) {
    H5Ldelete(file, "manifest", H5P_DEFAULT);
    std::vector<Digest> digests(2);
    digests[0] = sha256(std::as_bytes(std::span(digests)).subspan(32));
    const hsize_t count = 64;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t dataset =
        H5Dcreate2(file, "manifest", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, digests.data());
    H5Dclose(dataset);
    H5Sclose(space);
  });
  EXPECT_THAT(error().what(), HasSubstr("manifest: lists 0 datasets, the file has 4"));
}

}  // namespace
}  // namespace pqw
