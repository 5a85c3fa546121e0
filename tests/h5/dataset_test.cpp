#include "h5/dataset.h"

#include <hdf5.h>

#include "h5/group.h"
#include "tests/h5/h5_testing.h"

namespace pqw::h5 {
namespace {

class Datasets : public H5Test {
 protected:
  DatasetInfo info_of(std::size_t count, Storage storage) {
    const Handle dataset =
        create_dataset(file_.id(), std::string(1, static_cast<char>('a' + n_++)), DType::kU16,
                       std::vector<std::size_t>{count}, storage, subject_);
    return describe(dataset.id(), subject_);
  }
  int n_ = 0;
};

TEST_F(Datasets, GiveTheirBytesBack) {
  const Shape shape = {3, 5};
  std::vector<std::byte> bytes(60);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(200 - i);
  const Handle dataset =
      create_dataset(file_.id(), "w", DType::kF32, shape, Storage::kContiguous, subject_);
  write_dataset(dataset.id(), bytes, subject_);
  std::vector<std::byte> found(60);
  read_dataset(dataset.id(), found, subject_);
  EXPECT_EQ(found, bytes);
}

TEST_F(Datasets, AreDescribed) {
  const DatasetInfo info = info_of(3000, Storage::kContiguous);
  ASSERT_TRUE(info.type);
  EXPECT_EQ(info.type->dtype, DType::kU16);
  EXPECT_TRUE(info.has_space);
  EXPECT_EQ(info.shape, Shape{3000});
  EXPECT_EQ(info.stored_bytes, 6000u);
  EXPECT_EQ(info.element_bytes, 2u);
  EXPECT_EQ(info.layout, Layout::kContiguous);
  EXPECT_TRUE(info.offset);
  EXPECT_FALSE(info.is_external);
  EXPECT_TRUE(info.filters.empty());
}

TEST_F(Datasets, AreContiguousWhenPacked) {
  EXPECT_EQ(info_of(0, Storage::kPacked).layout, Layout::kContiguous);
  EXPECT_EQ(info_of(7, Storage::kPacked).layout, Layout::kContiguous);
  EXPECT_EQ(info_of(7, Storage::kPacked).stored_bytes, 14u);
}

TEST_F(Datasets, AreOneChunkWhenDeflated) {
  const std::size_t count = 5000;
  const std::vector<std::byte> bytes(count, std::byte{3});
  const Handle dataset =
      create_dataset(file_.id(), "w", DType::kU8, {&count, 1}, Storage::kDeflated, subject_);
  write_dataset(dataset.id(), bytes, subject_);
  check(H5Dflush(dataset.id()), subject_, "flush");
  std::vector<std::byte> found(count);
  read_dataset(dataset.id(), found, subject_);
  EXPECT_EQ(found, bytes);
  const DatasetInfo info = describe(dataset.id(), subject_);
  EXPECT_EQ(info.layout, Layout::kChunked);
  EXPECT_EQ(info.chunk_bytes, count);
  EXPECT_EQ(info.filters, std::vector{1});
  EXPECT_GT(info.stored_bytes, 0u);
  EXPECT_LT(info.stored_bytes, 100u);
}

TEST_F(Datasets, OfOneTextAreDescribed) {
  const Handle type = text_type(5, subject_);
  const hid_t space = H5Screate(H5S_SCALAR);
  const Handle dataset(
      H5Dcreate2(file_.id(), "text", type.id(), space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Dclose);
  H5Sclose(space);
  const DatasetInfo info = describe(dataset.id(), subject_);
  EXPECT_FALSE(info.type);
  EXPECT_TRUE(info.is_text);
  EXPECT_EQ(info.element_bytes, 5u);
  EXPECT_EQ(info.shape, Shape{});
}

TEST_F(Datasets, OfANameThatIsTakenAreErrors) {
  const auto create = [&] {
    (void)create_dataset(file_.id(), "w", DType::kU8, {}, Storage::kContiguous, subject_);
  };
  create();
  const std::string message = message_of(create);
  EXPECT_THAT(message, testing::StartsWith("shown: object: cannot create a dataset: "));
  EXPECT_THAT(message, testing::HasSubstr("exists"));
}

}  // namespace
}  // namespace pqw::h5
