// Writing fails in the middle: an error, no file under the name, no crash, also at the exit.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "pqw/archive/archive.h"
#include "tests/archive/samples.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

// Files of this process cannot grow beyond `bytes` while the object lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_;
  void (*old_handler_)(int);
};

void write(const std::string& path) {
  ArchiveWriter writer(path, {.overwrite = true});
  writer.add(test::pq_record("w"));
  writer.add_plain({"b", DType::kF32, {1200}}, test::counting_bytes(4800));
  writer.add_plain({"c", DType::kF32, {5}}, test::counting_bytes(20));
  writer.commit();
}

TEST(ArchiveFullDisk, IsAnErrorAndKeepsTheOldFile) {
  const test::TempDir dir;
  const std::string path = dir / "a.pqw";
  write(path);
  const std::string before = test::content(path);
  for (std::size_t limit = 0; limit < before.size(); limit += 97) {
    const Error error = test::error_of([&] {
      const FileSizeLimit full(limit);
      write(path);
    });
    ASSERT_EQ(error.code(), ErrorCode::kIo) << limit << ": " << error.what();
    ASSERT_EQ(test::content(path), before);
    ASSERT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
  }
  const FileSizeLimit enough(before.size());
  EXPECT_NO_THROW(write(path));
  EXPECT_EQ(test::content(path), before);
}

}  // namespace
}  // namespace pqw
