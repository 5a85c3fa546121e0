// Digests of chunks of 64 KiB: what they are of, and that each read compares what it touches.
#include "archive/chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/archive/samples.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::archive {
namespace {

using test::counting_bytes;
using test::error_of;

constexpr std::size_t kLead = 10;  // bytes before the data

class Chunks : public testing::Test {
 protected:
  // A file of some bytes, the data, and its digests.
  void write(std::size_t n_bytes) {
    data_ = counting_bytes(n_bytes);
    ChunkDigests sum;
    sum.update(data_);
    digests_ = sum.finish();
    save();
  }

  void save() {
    std::string file(kLead, 'x');
    file.append(reinterpret_cast<const char*>(data_.data()), data_.size());
    file.append(reinterpret_cast<const char*>(digests_.data()), digests_.size() * sizeof(Digest));
    test::set_content(path_, file);
  }

  std::vector<std::byte> read(const ChunkReader& reader, std::size_t begin, std::size_t n) {
    std::vector<std::byte> bytes(n);
    reader.read(begin, bytes, {"f", ErrorCode::kCorrupt});
    return bytes;
  }

  Area data() const { return {kLead, data_.size()}; }
  Area digests() const { return {kLead + data_.size(), digests_.size() * sizeof(Digest)}; }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "f";
  std::vector<std::byte> data_;
  std::vector<Digest> digests_;
};

TEST_F(Chunks, DigestsAreOfWholeChunksAndTheRest) {
  for (const std::size_t n : {0u, 1u, 65535u, 65536u, 65537u, 200000u}) {
    const auto bytes = counting_bytes(n);
    for (const std::size_t piece : {1000u, 65536u, 131072u}) {
      ChunkDigests sum;
      for (std::size_t at = 0; at < n; at += piece) {
        sum.update(std::span(bytes).subspan(at, std::min(piece, n - at)));
      }
      std::vector<Digest> expected;
      for (std::size_t at = 0; at < n; at += 65536) {
        expected.push_back(
            sha256(std::span(bytes).subspan(at, std::min<std::size_t>(65536, n - at))));
      }
      EXPECT_EQ(expected.size(), n_chunks(n));
      EXPECT_TRUE(sum.finish() == expected) << n << " in pieces of " << piece;
    }
  }
}

TEST_F(Chunks, GiveAnyRangeBack) {
  write(200000);
  const InputFile file(path_);
  const ChunkReader reader(file, data(), digests());
  for (const std::size_t begin : {0u, 1u, 65535u, 65536u, 70000u, 131072u, 199999u}) {
    for (const std::size_t n : {0u, 1u, 5u, 65536u, 65537u, 140000u, 200000u}) {
      if (begin + n > data_.size()) continue;
      const auto expected = std::span(data_).subspan(begin, n);
      EXPECT_THAT(read(reader, begin, n), testing::ElementsAreArray(expected)) << begin << " " << n;
    }
  }
}

TEST_F(Chunks, DamageIsFoundWhereItIsAndNowhereElse) {
  write(200000);
  data_[70000] ^= std::byte{1};  // in the second chunk
  save();
  const InputFile file(path_);
  const ChunkReader reader(file, data(), digests());
  EXPECT_NO_THROW(read(reader, 0, 65536));
  EXPECT_NO_THROW(read(reader, 131072, 68928));
  for (const auto& [begin, n] : {std::pair(65535, 2), std::pair(65536, 1), std::pair(131071, 1),
                                 std::pair(65536, 65536), std::pair(0, 200000)}) {
    const Error error = error_of([&, b = begin, m = n] {
      read(reader, static_cast<std::size_t>(b), static_cast<std::size_t>(m));
    });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.what(), testing::HasSubstr("bytes 65536 to 131071 of the data have the"));
  }
  EXPECT_NO_THROW(read(reader, 0, 10));
}

}  // namespace
}  // namespace pqw::archive
