// Archives of version 1 in which somebody planted something, digest included: each is an Error of
// the right code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <functional>

#include "tests/archive/damaged_archive.h"

namespace pqw {
namespace {

using test::read_all;
using ::testing::HasSubstr;

class Version1Hostile : public test::DamagedArchive {
 protected:
  Version1Hostile() : DamagedArchive(1) {}

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
};

TEST_F(Version1Hostile, PlantedLinksAreRefused) {
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

TEST_F(Version1Hostile, SecondSpellingOfANameIsRefused) {
  const Error error = error_after([](hid_t file) {
    H5Lmove(file, "tensors/b", file, "tensors/%62", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("link '%62' is not a valid tensor name"));
}

TEST_F(Version1Hostile, DataElsewhereIsRefused) {
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

TEST_F(Version1Hostile, ChunksAndFiltersAreRefused) {
  const Error error = error_with_codes(H5T_STD_U8LE, 2, [](hid_t list) {
    const hsize_t chunk = 2;
    H5Pset_chunk(list, 1, &chunk);
    H5Pset_deflate(list, 1);
  });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("tensor 'w': section 'codes': a chunked"));
}

TEST_F(Version1Hostile, UnallocatedDataIsRefused) {
  const Error error = error_with_codes(H5T_STD_U8LE, hsize_t{1} << 40, [](hid_t) {});
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("0 bytes stored, its shape needs 1099511627776"));
}

TEST_F(Version1Hostile, TypesThatArchivesDoNotHaveAreRefused) {
  for (const hid_t type : {H5T_STD_U16BE, H5T_C_S1, H5T_STD_REF_OBJ, H5T_IEEE_F32BE}) {
    const Error error = error_with_codes(type, 2, [](hid_t) {});
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("a type that archives do not have"));
  }
}

TEST_F(Version1Hostile, MissingPartsAreRefused) {
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

TEST_F(Version1Hostile, AttributesOfTheWrongContentAreRefused) {
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

TEST_F(Version1Hostile, ShapesThatOverflowAreRefused) {
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

TEST_F(Version1Hostile, GroupsInPlaceOfSectionsAreRefused) {
  const Error error = error_after([](hid_t file) {
    H5Gclose(H5Gcreate2(file, "tensors/w/more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  });
  EXPECT_THAT(error.what(), HasSubstr("section 'more': cannot open an attribute"));
}

TEST_F(Version1Hostile, LinksBackUpAreRefused) {
  use_version1("parts");
  const Error cycle = error_after([](hid_t file) {
    H5Lcreate_hard(file, "tensors/w", file, "tensors/w/inner/again", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(cycle.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(cycle.what(), HasSubstr("2 links to it"));
  const Error itself = error_after([](hid_t file) {
    H5Lcreate_hard(file, "tensors/w/inner", file, "tensors/w/inner/self", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(itself.what(), HasSubstr("2 links to it"));
  const Error shared = error_after([](hid_t file) {
    H5Lcreate_hard(file, "tensors/w/codes", file, "tensors/w/inner/more", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(shared.what(), HasSubstr("2 links to it"));
}

TEST_F(Version1Hostile, DepthIsBounded) {
  use_version1("deep");  // 4 levels with the tensor itself
  EXPECT_NO_THROW(read_all(path_));
  const Error planted = error_after([](hid_t file) {
    // The whole group once more, below its own deepest part.
    H5Ocopy(file, "tensors/w/deep", file, "tensors/w/deep/deep/deep/deep", H5P_DEFAULT,
            H5P_DEFAULT);
  });
  EXPECT_EQ(planted.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(planted.what(), HasSubstr("beyond a depth of 4"));
}

TEST_F(Version1Hostile, AttributesOfPartsAreCheckedAsThoseOfTensors) {
  use_version1("parts");
  const Error error = error_after(
      [](hid_t file) { H5Adelete_by_name(file, "tensors/w/inner", "shape", H5P_DEFAULT); });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("tensor 'w': section 'inner': cannot open an attribute"));
}

TEST_F(Version1Hostile, ManySectionsInManyPartsAreNoMoreThanTheFile) {
  use_version1("parts");
  const Error error = error_after([](hid_t file) {
    for (int i = 0; i < 63; ++i) {
      const std::string name = "tensors/w/inner/s" + std::to_string(i);
      H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
  });
  EXPECT_THAT(error.what(), HasSubstr("more than 64 links"));
}

TEST_F(Version1Hostile, TooManySectionsAreRefused) {
  const Error error = error_after([](hid_t file) {
    for (int i = 0; i < 63; ++i) {
      const std::string name = "tensors/w/s" + std::to_string(i);
      H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
  });
  EXPECT_THAT(error.what(), HasSubstr("more than 64 links"));
}

}  // namespace
}  // namespace pqw
