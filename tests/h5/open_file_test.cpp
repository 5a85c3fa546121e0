// Opening HDF5 files: by a descriptor, whole, and not while they are written.
#include <hdf5.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "h5/dataset.h"
#include "h5/file.h"
#include "h5/group.h"
#include "tests/h5/h5_testing.h"

namespace pqw::h5 {
namespace {

class OpenFile : public H5Test {
 protected:
  OpenFile() {
    const std::size_t shape = 3;
    create_dataset(file_.id(), "w", DType::kU8, {&shape, 1}, Storage::kContiguous, subject_)
        .close(subject_);
    file_.close(subject_);
  }

  std::string message_of_opening() {
    return message_of([&] { (void)open_file(InputFile(path_), subject_); });
  }
};

TEST_F(OpenFile, TheDescriptorCountsNotTheName) {
  const InputFile input(path_);
  std::filesystem::remove(path_);
  std::ofstream(path_) << "something else";
  const Handle file = open_file(input, subject_);
  EXPECT_EQ(list_links(open_root(file.id(), subject_).handle.id(), LinkOrder::kByName, 9, subject_)
                .size(),
            1u);
}

TEST_F(OpenFile, BytesBehindTheEndAreRefused) {
  const auto size = std::filesystem::file_size(path_);
  std::ofstream(path_, std::ios::app) << "x";
  EXPECT_EQ(message_of_opening(), "shown: object: " + std::to_string(size + 1) +
                                      " bytes long, its superblock says " + std::to_string(size) +
                                      "; the file is damaged; fetch it or save it again");
}

TEST_F(OpenFile, MissingBytesAreRefused) {
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_NE(message_of_opening(), "no error");
}

TEST_F(OpenFile, AFileThatIsBeingWrittenIsRefused) {
  const hid_t writer = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(writer, 0);
  try {
    (void)open_file(InputFile(path_), subject_);
    ADD_FAILURE() << "was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_STREQ(error.what(), "shown: object: another program is writing it");
  }
  H5Fclose(writer);
  EXPECT_EQ(message_of_opening(), "no error");
}

TEST_F(OpenFile, AFileThatIsCutAfterOpeningEndsInErrors) {
  const InputFile input(path_);
  const Handle file = open_file(input, subject_);
  std::filesystem::resize_file(path_, 100);
  const std::string message = message_of([&] {
    const Object root = open_root(file.id(), subject_);
    for (const Link& link : list_links(root.handle.id(), LinkOrder::kByName, 9, subject_)) {
      std::array<std::byte, 3> bytes;
      read_dataset(open_object(file.id(), link.address, subject_).handle.id(), bytes, subject_);
    }
  });
  EXPECT_NE(message, "no error");
}

}  // namespace
}  // namespace pqw::h5
