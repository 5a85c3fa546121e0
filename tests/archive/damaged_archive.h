// An archive that tests may damage.
#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <functional>
#include <string>

#include "archive/digest.h"
#include "archive/user_block.h"
#include "pqw/archive/archive.h"
#include "tests/archive/samples.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::test {

// Gives the bytes a first block that fits them, as whoever plants something in them would.
inline std::string signed_again(std::string file) {
  const auto rest = std::as_bytes(std::span(file)).subspan(archive::kUserBlockBytes);
  constexpr std::size_t kVersionAt = 20;
  const auto block = archive::render({.version = static_cast<unsigned char>(file[kVersionAt]) - 48u,
                                      .file_bytes = file.size(),
                                      .sha256 = archive::to_hex(archive::sha256(rest))});
  std::copy_n(reinterpret_cast<const char*>(block.data()), block.size(), file.begin());
  return file;
}

// An archive of a version of the format, of which tests/archive/v1 has files: metadata, the
// compressed tensor "w" and the plain tensor "b".
class DamagedArchive : public ::testing::Test {
 protected:
  explicit DamagedArchive(int version = 2) {
    if (version == 1) {
      use_version1("sample");
      return;
    }
    ArchiveWriter writer(path_, {.metadata = {{"key", "value"}}});
    writer.add(test::pq_record("w"));
    writer.add_plain({"b", DType::kF32, {1200}}, counting_bytes(4800));
    writer.commit();
    original_ = content(path_);
    digest_ = original_.find("sha256 ") + 7;
  }

  void use_version1(const std::string& name) {
    original_ = content(std::string(PQW_VERSION1) + "/" + name + ".h5");
    set_content(path_, original_);
    digest_ = original_.find("sha256 ") + 7;
  }

  // Lets HDF5 change the original; then the first block fits again.
  void edit(const std::function<void(hid_t)>& change) {
    set_content(path_, original_);
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    change(file);
    ASSERT_GE(H5Fclose(file), 0);
    set_content(path_, signed_again(content(path_)));
    EXPECT_NO_THROW(verify_digest(path_));
  }

  // The error of reading the file, in this process and in another one.
  Error error() {
    const Error isolated = error_of([&] { read_all(path_, {.trusted = false}); });
    const Error direct = error_of([&] { read_all(path_, {.trusted = true}); });
    EXPECT_EQ(isolated.code(), direct.code());
    EXPECT_STREQ(isolated.what(), direct.what());
    return isolated;
  }

  Error error_after(const std::function<void(hid_t)>& change) {
    edit(change);
    return error();
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
  std::string original_;
  std::size_t digest_ = 0;  // where it stands in the first block
};

}  // namespace pqw::test
