// Archives in which somebody planted something, digests included: each is an Error of the right
// code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/container.h"
#include "tests/archive/damaged_archive.h"

namespace pqw {
namespace {

using test::content;
using test::counting_bytes;
using test::read_all;
using test::set_content;
using test::signed_again;
using ::testing::HasSubstr;

class ArchiveHostile : public test::DamagedArchive {
 protected:
  // Writes an archive of that index and data, with digests that fit.
  void plant(const std::string& index, const std::vector<std::byte>& data) {
    const archive::Container container =
        archive::make_container(data.size(), index, {path_, ErrorCode::kIo});
    std::vector<std::byte> bytes(container.file.size());
    container.file.read(0, bytes);
    const auto put = [&](archive::Area area, std::span<const std::byte> content) {
      ASSERT_EQ(area.n_bytes, content.size());
      std::ranges::copy(content, bytes.begin() + static_cast<std::ptrdiff_t>(area.begin));
    };
    archive::ChunkDigests sum;
    sum.update(data);
    std::vector<archive::Digest> manifest = sum.finish();
    manifest.insert(manifest.begin(), archive::sha256(std::as_bytes(std::span(index))));
    put(container.data, data);
    put(container.manifest, std::as_bytes(std::span(manifest)));
    std::string file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    file.replace(0, 512, original_, 0, 512);
    set_content(path_, signed_again(file));
    EXPECT_NO_THROW(verify_digest(path_));
  }

  // The error when the dataset is replaced by one with these properties.
  Error error_with(
      const char* name, hid_t type, hsize_t count,
      const std::function<void(hid_t)>& set = [](hid_t) {}) {
    return error_after([&](hid_t file) {
      EXPECT_GE(H5Ldelete(file, name, H5P_DEFAULT), 0);
      const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
      set(list);
      const hid_t space = H5Screate_simple(1, &count, nullptr);
      const hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
      EXPECT_GE(id, 0);
      H5Dclose(id);
      H5Sclose(space);
      H5Pclose(list);
    });
  }
};

const std::string kTwo =
    R"({"tensors":[{"dtype":"U8","name":"a","shape":[3]},{"dtype":"U8","name":"b","shape":[2]}]})";

TEST_F(ArchiveHostile, PlantedIndexThatFitsIsReadable) {
  plant(kTwo, counting_bytes(5));
  const ArchiveReader reader(path_);
  EXPECT_EQ(reader.read_plain(0), counting_bytes(3));
  EXPECT_EQ(reader.read_plain(1).size(), 2u);
}

TEST_F(ArchiveHostile, TensorsBeyondTheDataAreRefused) {
  plant(kTwo, counting_bytes(4));
  EXPECT_EQ(error().what(), path_ + ": tensor 'b': 2 bytes at 3 of the data, which has 4");
  EXPECT_EQ(error().code(), ErrorCode::kCorrupt);
  plant(R"({"tensors":[{"dtype":"U8","name":"a","shape":[9223372036854775807]},)"
        R"({"dtype":"U8","name":"b","shape":[9223372036854775807]}]})",
        counting_bytes(4));
  EXPECT_THAT(error().what(), HasSubstr("tensor 'a': 9223372036854775807 bytes at 0"));
  plant(R"({"tensors":[{"codec":"pq","dtype":"U8","name":"a","shape":[],"sections":)"
        R"([["x","U8",[4]],["y","U8",[1]]]}]})",
        counting_bytes(4));
  EXPECT_THAT(error().what(), HasSubstr("tensor 'a': section 'y': 1 bytes at 4"));
}

TEST_F(ArchiveHostile, BytesThatNoTensorHasAreRefused) {
  plant(kTwo, counting_bytes(6));
  EXPECT_EQ(error().what(), path_ + ": data: 6 bytes, the tensors of the index need 5");
  EXPECT_EQ(error().code(), ErrorCode::kCorrupt);
  plant(R"({"tensors":[]})", counting_bytes(1));
  EXPECT_EQ(error().code(), ErrorCode::kCorrupt);
}

TEST_F(ArchiveHostile, IndexThatIsNoIndexIsRefused) {
  plant("[]", {});
  EXPECT_EQ(error().what(), path_ + ": index: not a JSON object");
}

TEST_F(ArchiveHostile, MissingPartsAreRefused) {
  for (const std::string name : {"data", "index", "manifest"}) {
    const Error error =
        error_after([&](hid_t file) { H5Ldelete(file, name.c_str(), H5P_DEFAULT); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_EQ(error.what(), path_ + ": " + name + ": is missing");
  }
  for (const char* attribute : {"format", "version"}) {
    const Error error = error_after([&](hid_t file) { H5Adelete(file, attribute); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << attribute;
  }
}

TEST_F(ArchiveHostile, VersionsThatContradictEachOtherAreRefused) {
  std::string other = original_;
  other[20] = '1';
  set_content(path_, signed_again(other));
  EXPECT_THAT(error().what(), HasSubstr("contradicts the first block"));
}

TEST_F(ArchiveHostile, PlantedLinksAreRefused) {
  for (const std::string name : {"data", "index", "manifest"}) {
    const Error soft = error_after([&](hid_t file) {
      H5Lmove(file, name.c_str(), file, "other", H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_soft("/other", file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    });
    EXPECT_THAT(soft.what(), HasSubstr(name + ": a soft, external or unknown link"));
    const Error second = error_after([&](hid_t file) {
      H5Lcreate_hard(file, name.c_str(), file, "other", H5P_DEFAULT, H5P_DEFAULT);
    });
    EXPECT_THAT(second.what(), HasSubstr(name + ": 2 links to it, expected one"));
    const Error group = error_after([&](hid_t file) {
      H5Ldelete(file, name.c_str(), H5P_DEFAULT);
      H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    });
    EXPECT_THAT(group.what(), HasSubstr(name + ": not a dataset"));
  }
}

TEST_F(ArchiveHostile, DatasetsOfOtherTypesAndStoragesAreRefused) {
  for (const std::string name : {"data", "index", "manifest"}) {
    EXPECT_THAT(error_with(name.c_str(), H5T_STD_I8LE, 32).what(),
                HasSubstr(name + ": not a list of U8"));
  }
  const auto chunked = [](hid_t list) {
    const hsize_t chunk = 32;
    H5Pset_chunk(list, 1, &chunk);
  };
  for (const std::string name : {"data", "manifest"}) {
    EXPECT_THAT(error_with(name.c_str(), H5T_STD_U8LE, 32, chunked).what(),
                HasSubstr(name + ": a chunked or virtual layout"));
    EXPECT_THAT(error_with(name.c_str(), H5T_STD_U8LE, hsize_t{1} << 40).what(),
                HasSubstr(name + ": 0 bytes stored, its shape needs 1099511627776"));
    EXPECT_THAT(error_with(name.c_str(), H5T_STD_U8LE, 32,
                           [](hid_t list) { H5Pset_layout(list, H5D_COMPACT); })
                    .what(),
                HasSubstr(name + ": a compact layout"));
    EXPECT_THAT(error_with(name.c_str(), H5T_STD_U8LE, 32,
                           [](hid_t list) { H5Pset_external(list, "/etc/hostname", 0, 32); })
                    .what(),
                HasSubstr(name + ": its data is in other files"));
  }
  EXPECT_THAT(error_with("index", H5T_STD_U8LE, 32).what(), HasSubstr("index: expected a chunk"));
  EXPECT_THAT(error_with("index", H5T_STD_U8LE, 32, chunked).what(),
              HasSubstr("index: expected a chunk"));
  EXPECT_THAT(error_with("index", H5T_STD_U8LE, 64,
                         [&](hid_t list) {
                           chunked(list);
                           H5Pset_deflate(list, 9);
                         })
                  .what(),
              HasSubstr("bytes stored for 64 in chunks of 32"));
}

// Zeros deflate to a thousandth.
TEST_F(ArchiveHostile, IndexThatUnpacksToFarMoreThanItTakesIsRefused) {
  static constexpr hsize_t kBytes = hsize_t{96} << 20;
  edit([](hid_t file) {
    H5Ldelete(file, "index", H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, &kBytes);
    H5Pset_deflate(list, 9);
    const hid_t space = H5Screate_simple(1, &kBytes, nullptr);
    const hid_t id = H5Dcreate2(file, "index", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    EXPECT_GE(
        H5Dwrite(id, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, std::vector<char>(kBytes).data()),
        0);
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(list);
  });
  EXPECT_THAT(error().what(), HasSubstr("bytes stored for 100663296 in chunks of 100663296"));
  EXPECT_EQ(test::error_of([] {
              ArchiveSizer({.metadata = {{"k", std::string(kBytes, 'k')}}}).finish();
            }).code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(ArchiveHostile, ManifestOfAnotherLengthIsRefused) {
  const Error error = error_with("manifest", H5T_STD_U8LE, 32,
                                 [](hid_t list) { H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY); });
  EXPECT_EQ(error.what(), path_ + ": manifest: 32 bytes, 4826 bytes of data need 64");
}

TEST_F(ArchiveHostile, IndexOfAnotherDigestIsRefused) {
  const Error error = error_after([](hid_t file) {
    const hid_t dataset = H5Dopen2(file, "manifest", H5P_DEFAULT);
    const unsigned char digests[64] = {1, 2};
    H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, digests);
    H5Dclose(dataset);
  });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("index: its bytes have the SHA-256"));
}

}  // namespace
}  // namespace pqw
