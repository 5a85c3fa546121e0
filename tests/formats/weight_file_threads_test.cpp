// Weight files of all formats that several threads read at the same time.
#include <gtest/gtest.h>

#include <memory>

#include "isolate/sandbox.h"
#include "pqw/formats/weight_file.h"
#include "tests/formats/file_testing.h"
#include "tests/support/read_by_threads.h"

namespace pqw {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kRounds = 4;

// Of several sizes, no two with the same bytes.
std::vector<test::Tensor> tensors_for(const std::string& extension) {
  std::vector<test::Tensor> tensors;
  const std::size_t n = extension == ".npy" ? 1 : 6;
  for (std::size_t i = 0; i < n; ++i) {
    const std::string name = n == 1 ? "arr_0" : std::string("t") + std::to_string(i);
    tensors.push_back(test::counting(name, DType::kU8, {5, 700 + 911 * i}));
    tensors.back().bytes[0] = static_cast<char>(100 + i);
  }
  return tensors;
}

class WeightFileThreads : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { test::write_all(path_, tensors_); }

  void expect_tensor(const WeightReader& reader, std::size_t i) const {
    EXPECT_EQ(reader.tensors()[i], tensors_[i].info);
    EXPECT_TRUE(test::text_of(reader.read(i)) == tensors_[i].bytes) << i;
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / ("f" + GetParam());
  const std::vector<test::Tensor> tensors_ = tensors_for(GetParam());
};

TEST_P(WeightFileThreads, ReadTheRightBytesFromOneReader) {
  for (const bool trusted : {false, true}) {
    const auto reader = open_weights(path_, {.trusted = trusted});
    test::read_by_threads(kThreads, tensors_.size(), kRounds,
                          [&](std::size_t, std::size_t i) { expect_tensor(*reader, i); });
  }
}

TEST_P(WeightFileThreads, ReadTheRightBytesFromReadersOfTheirOwn) {
  for (const bool trusted : {false, true}) {
    std::vector<std::unique_ptr<WeightReader>> readers;
    for (std::size_t t = 0; t < kThreads; ++t) {
      readers.push_back(open_weights(path_, {.trusted = trusted}));
    }
    test::read_by_threads(kThreads, tensors_.size(), kRounds,
                          [&](std::size_t t, std::size_t i) { expect_tensor(*readers[t], i); });
  }
}

TEST_P(WeightFileThreads, OpenReadAndCloseAtTheSameTimeAsOthers) {
  if (has_sanitizer() && GetParam() == ".h5") {
    GTEST_SKIP() << "the allocator of sanitizers may stay locked in a process that is forked while "
                    "other threads allocate";
  }
  test::read_by_threads(kThreads, tensors_.size(), 1, [&](std::size_t, std::size_t i) {
    expect_tensor(*open_weights(path_), i);
  });
}

INSTANTIATE_TEST_SUITE_P(Formats, WeightFileThreads,
                         testing::Values(".safetensors", ".npy", ".npz", ".h5"),
                         [](const auto& test_case) { return test_case.param.substr(1); });

}  // namespace
}  // namespace pqw
