// Archives that several threads read at the same time.
#include <gtest/gtest.h>

#include "isolate/sandbox.h"
#include "pqw/archive/archive.h"
#include "tests/archive/samples.h"
#include "tests/support/read_by_threads.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

constexpr std::size_t kTensors = 6;
constexpr std::size_t kThreads = 4;
constexpr std::size_t kRounds = 4;

TensorInfo plain_info(std::size_t i) { return {"plain", DType::kU8, {3000 + 517 * i}}; }

std::vector<std::byte> codes(std::size_t i) {
  return test::counting_bytes(2, static_cast<unsigned>(40 * i));
}

// Odd tensors are compressed; no two have the same bytes.
void write(const std::string& path) {
  ArchiveWriter writer(path, {});
  for (std::size_t i = 0; i < kTensors; ++i) {
    const std::string name = std::to_string(i);
    if (i % 2 == 0) {
      TensorInfo info = plain_info(i);
      info.name += name;
      writer.add_plain(info, test::counting_bytes(byte_count(info), static_cast<unsigned>(31 * i)));
    } else {
      Record record = test::pq_record("pq" + name);
      record.sections[1].bytes = codes(i);
      writer.add(record);
    }
  }
  writer.commit();
}

void expect_tensor(const ArchiveReader& reader, std::size_t i) {
  if (i % 2 == 0) {
    EXPECT_EQ(reader.read_plain(i),
              test::counting_bytes(byte_count(plain_info(i)), static_cast<unsigned>(31 * i)));
  } else {
    const Record record = reader.read(i);
    EXPECT_EQ(record.sections.at(0).bytes, test::pq_record("").sections[0].bytes);
    EXPECT_EQ(record.sections.at(1).bytes, codes(i));
  }
}

class ArchiveThreads : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { write(path_); }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
  const ReadOptions options_{.trusted = GetParam()};
};

TEST_P(ArchiveThreads, ReadTheRightBytesFromOneReader) {
  const ArchiveReader reader(path_, options_);
  test::read_by_threads(kThreads, kTensors, kRounds,
                        [&](std::size_t, std::size_t i) { expect_tensor(reader, i); });
}

TEST_P(ArchiveThreads, ReadTheRightBytesFromReadersOfTheirOwn) {
  const std::vector<ArchiveReader> readers = [&] {
    std::vector<ArchiveReader> all;
    for (std::size_t t = 0; t < kThreads; ++t) all.emplace_back(path_, options_);
    return all;
  }();
  test::read_by_threads(kThreads, kTensors, kRounds,
                        [&](std::size_t t, std::size_t i) { expect_tensor(readers[t], i); });
}

TEST_P(ArchiveThreads, OpenReadAndCloseAtTheSameTimeAsOthers) {
  if (has_sanitizer() && !options_.trusted) {
    GTEST_SKIP() << "the allocator of sanitizers may stay locked in a process that is forked while "
                    "other threads allocate";
  }
  test::read_by_threads(kThreads, kTensors, 1, [&](std::size_t t, std::size_t i) {
    expect_tensor(ArchiveReader(path_, options_), i);
    if (i == 0) write(dir_ / std::to_string(t));
  });
}

INSTANTIATE_TEST_SUITE_P(Both, ArchiveThreads, testing::Bool(), [](const auto& test_case) {
  return test_case.param ? "trusted" : "isolated";
});

}  // namespace
}  // namespace pqw
