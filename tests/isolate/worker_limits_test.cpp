// The limits that a parent sets to the child that reads for it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "isolate/sandbox.h"
#include "isolate/worker.h"
#include "tests/support/memory_limits.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

class WorkerLimits : public testing::Test {
 protected:
  WorkerLimits() { std::ofstream(path_) << "content"; }

  // The limit of the child after a call that may answer with so many bytes, by its name in /proc.
  std::uint64_t limit_after(std::size_t most_bytes, const std::string& name) const {
    const InputFile file(path_);
    Worker worker(file, [](std::uint64_t) {
      const pid_t self = ::getpid();
      std::vector<std::byte> answer(sizeof(self));
      std::memcpy(answer.data(), &self, sizeof(self));
      return answer;
    });
    pid_t child = 0;
    std::memcpy(&child, worker.call(0, most_bytes).data(), sizeof(child));
    std::ifstream limits("/proc/" + std::to_string(child) + "/limits");
    for (std::string line; std::getline(limits, line);) {
      if (!line.starts_with(name)) continue;
      std::uint64_t soft = 0;
      std::istringstream(line.substr(name.size())) >> soft;
      return soft;
    }
    ADD_FAILURE() << "no limit " << name;
    return 0;
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "f";
};

constexpr std::size_t kMebi = std::size_t{1} << 20;

TEST_F(WorkerLimits, TenSecondsOfProcessorTimeAndOneForEvery8MiB) {
  EXPECT_EQ(limit_after(100, "Max cpu time"), 10u);
  EXPECT_EQ(limit_after(8 * kMebi, "Max cpu time"), 11u);
  EXPECT_EQ(limit_after(800 * kMebi, "Max cpu time"), 110u);
}

TEST_F(WorkerLimits, MemoryOf512MiBAndSixTimesTheAnswer) {
  if (has_sanitizer()) GTEST_SKIP() << "the shadow memory of sanitizers is larger than any limit";
  if (!test::can_limit_memory()) GTEST_SKIP() << test::kNoMemoryLimits;
  const std::uint64_t least = limit_after(100, "Max address space");
  EXPECT_GE(least, 512 * kMebi);
  EXPECT_EQ(limit_after(kMebi + 100, "Max address space"), least + 6 * kMebi);
}

TEST_F(WorkerLimits, NoFilesAreOpenedWrittenOrDumped) {
  if (!has_sanitizer()) {
    EXPECT_EQ(limit_after(100, "Max open files"), 0u);
  }
  EXPECT_EQ(limit_after(100, "Max file size"), 0u);
  EXPECT_EQ(limit_after(100, "Max core file size"), 0u);
}

}  // namespace
}  // namespace pqw
