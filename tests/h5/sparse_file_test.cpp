// Files in memory of which only what was written takes space.
#include "h5/sparse_file.h"

#include <algorithm>

#include "h5/dataset.h"
#include "h5/handle.h"
#include "tests/h5/h5_testing.h"
#include "tests/support/file_content.h"

namespace pqw::h5 {
namespace {

std::vector<std::byte> content_of(const SparseFile& file, std::uint64_t address, std::size_t n) {
  std::vector<std::byte> bytes(n, std::byte{9});
  file.read(address, bytes);
  return bytes;
}

TEST(SparseFile, HasWhatWasWrittenAndZerosElsewhere) {
  SparseFile file;
  const std::vector<std::byte> ones(10000, std::byte{1}), twos(3, std::byte{2});
  file.write(5000, ones);
  file.write(8191, twos);
  EXPECT_EQ(file.size(), 15000u);
  std::vector<std::byte> expected(20000);
  std::ranges::fill(std::span(expected).subspan(5000, 10000), std::byte{1});
  std::ranges::fill(std::span(expected).subspan(8191, 3), std::byte{2});
  EXPECT_EQ(content_of(file, 0, 20000), expected);
  // What is cut off does not come back.
  file.resize(6000);
  file.resize(20000);
  EXPECT_EQ(file.size(), 20000u);
  std::ranges::fill(std::span(expected).subspan(6000), std::byte{0});
  EXPECT_EQ(content_of(file, 0, 20000), expected);
}

TEST(SparseFile, MayBeLargerThanMemory) {
  SparseFile file;
  const std::uint64_t far = std::uint64_t{1} << 60;
  file.write(far, std::vector<std::byte>(1, std::byte{3}));
  EXPECT_EQ(file.size(), far + 1);
  EXPECT_EQ(content_of(file, far - 1, 2), (std::vector{std::byte{0}, std::byte{3}}));
}

class InMemory : public H5Test, public testing::WithParamInterface<FileKind> {};

TEST_P(InMemory, Hdf5WritesTheBytesThatItWritesToDisk) {
  const auto lock = exclusive();
  const std::vector<std::byte> values(6000, std::byte{7});
  const auto fill = [&](Handle file) {
    for (const char* name : {"a", "b"}) {
      const std::size_t count = values.size();
      Handle dataset =
          create_dataset(file.id(), name, DType::kU8, {&count, 1}, Storage::kContiguous, subject_);
      write_dataset(dataset.id(), values, subject_);
      dataset.close(subject_);
    }
    file.close(subject_);
  };
  SparseFile memory;
  fill(create_file(memory, GetParam(), subject_));
  fill(create_file(dir_ / "disk.h5", GetParam(), subject_));
  const std::string expected = test::content(dir_ / "disk.h5");
  ASSERT_EQ(memory.size(), expected.size());
  const auto bytes = content_of(memory, 0, expected.size());
  EXPECT_TRUE(std::ranges::equal(bytes, std::as_bytes(std::span(expected))));
}

INSTANTIATE_TEST_SUITE_P(Kinds, InMemory,
                         testing::Values(FileKind::kArchive, FileKind::kInterchange));

}  // namespace
}  // namespace pqw::h5
