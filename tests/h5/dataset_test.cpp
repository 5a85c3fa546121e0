#include "h5/dataset.h"

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

TEST_F(Datasets, AreCompactUpTo4KiBWhenPacked) {
  EXPECT_EQ(info_of(0, Storage::kPacked).layout, Layout::kCompact);
  EXPECT_EQ(info_of(2048, Storage::kPacked).layout, Layout::kCompact);
  EXPECT_EQ(info_of(2048, Storage::kPacked).stored_bytes, 4096u);
  EXPECT_EQ(info_of(2049, Storage::kPacked).layout, Layout::kContiguous);
  EXPECT_EQ(info_of(0, Storage::kContiguous).layout, Layout::kContiguous);
}

TEST_F(Datasets, OfOneTextAreDescribed) {
  const Handle dataset = create_text_dataset(file_.id(), "text", 5, subject_);
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
