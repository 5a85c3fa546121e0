// Each hostile HDF5 file is an error or read without harm, in a process of its own and in this one.
#include <hdf5.h>
#include <stdlib.h>

#include <filesystem>

#include "h5/handle.h"
#include "tests/formats/file_testing.h"
#include "tests/hostile/hdf5_files.h"

namespace pqw {
namespace {

using test::HostileFile;
using test::Outcome;
using testing::Contains;
using testing::HasSubstr;

class HostileHdf5 : public testing::TestWithParam<HostileFile> {
 protected:
  HostileHdf5() {
    h5::initialize();
    test::make_secrets(dir_ / "secret");
    GetParam().make(path_, dir_ / "secret");
  }

  void read(bool trusted) {
    const auto reader = open_weights(path_, {.trusted = trusted});
    skipped_ = test::skipped_in(*reader);
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
      tensors_.push_back(reader->tensors()[i].name);
      EXPECT_EQ(test::text_of(reader->read(i)), "\1\2");
    }
  }

  void expect_no_harm(bool trusted) {
    const HostileFile& file = GetParam();
    try {
      read(trusted);
      EXPECT_NE(file.outcome, Outcome::kRefused) << "was read";
      EXPECT_THAT(tensors_, Contains("good"));
    } catch (const Error& error) {
      EXPECT_EQ(file.outcome, Outcome::kRefused) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(file.message));
      EXPECT_THAT(error.what(), testing::StartsWith(path_ + ": "));
    }
    if (file.outcome == Outcome::kSkipped) {
      EXPECT_THAT(skipped_, Contains(HasSubstr(file.message)));
    }
    if (file.outcome == Outcome::kHarmless) {
      EXPECT_TRUE(skipped_.empty());
    }
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "hostile.h5";
  std::vector<std::string> tensors_, skipped_;
};

TEST_P(HostileHdf5, DoesNoHarmIsolated) { expect_no_harm(false); }
TEST_P(HostileHdf5, DoesNoHarmInProcess) { expect_no_harm(true); }

TEST_P(HostileHdf5, IsCopiedOrRefused) {
  try {
    CopyWriter copy = create_copy(path_, dir_ / "copy.h5", {{"good", DType::kU8, {2}}});
    copy.writer->add(std::as_bytes(std::span("\3\4", 2)));
    copy.writer->commit();
    EXPECT_EQ(std::filesystem::file_size(dir_ / "copy.h5"), std::filesystem::file_size(path_));
  } catch (const Error&) {
    EXPECT_FALSE(std::filesystem::exists(dir_ / "copy.h5"));
  }
}

INSTANTIATE_TEST_SUITE_P(, HostileHdf5, testing::ValuesIn(test::hostile_files()),
                         [](const auto& test) { return test.param.kind; });

// Proves that the plugin would be loaded where loading is on: by h5dump of the same file.
TEST(PlantedPlugin, IsNotLoaded) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the plugin is not linked with the runtime of the sanitizer";
#endif
  const test::TempDir dir;
  const std::string mark = dir / "mark", path = dir / "f.h5";
  ::setenv("PQW_PLANTED_MARK", mark.c_str(), 1);
  ::setenv("HDF5_PLUGIN_PATH", PQW_PLUGIN_FOLDER, 1);
  for (const HostileFile& file : test::hostile_files()) {
    const auto lock = h5::exclusive();  // so that this does not load the plugin
    if (file.kind == "UnknownFilter") file.make(path, "");
  }
  for (const bool trusted : {false, true}) EXPECT_THROW(open_weights(path, {trusted}), Error);
  EXPECT_FALSE(std::filesystem::exists(mark));
  const std::string other = "h5dump '" + path + "' > /dev/null 2>&1";
  (void)!std::system(other.c_str());
  EXPECT_TRUE(std::filesystem::exists(mark)) << "the plugin is no danger and the test no proof";
  ::unsetenv("HDF5_PLUGIN_PATH");
  ::unsetenv("PQW_PLANTED_MARK");
}

}  // namespace
}  // namespace pqw
