// Indexes of shards that break a rule, or try to lead somewhere else.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::BadFile;

constexpr ErrorCode kFormat = ErrorCode::kFormat;

std::string repeated(const std::string& text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

// An index that says that tensor "w" is in this file, as JSON text.
std::string naming(const std::string& file) { return R"({"weight_map":{"w":)" + file + "}}"; }

std::string many_files(std::size_t n) {
  std::string map;
  for (std::size_t i = 0; i < n; ++i) {
    const std::string name = "\"f" + std::to_string(i) + "\"";
    map += (i == 0 ? "" : ",") + name + ":" + name;
  }
  return R"({"weight_map":{)" + map + "}}";
}

const std::string kLeadsOut = "expected the name of a file in the same folder";

const BadFile kBadFiles[] = {
    {"CutShort", R"({"weight_map":{"w":)", kFormat, "not valid JSON"},
    {"TextAfterTheObject", naming("\"w\"") + "x", kFormat, "not valid JSON"},
    {"NulInTheObject", naming("\"w\"") + std::string(1, '\0'), kFormat, "a NUL byte at byte 24"},
    {"NotUtf8", naming("\"\xff\""), kFormat, "not valid JSON"},
    {"LoneSurrogate", naming(R"("\ud800")"), kFormat, "not valid JSON"},
    {"Comment", "{/**/\"weight_map\":{}}", kFormat, "not valid JSON"},
    {"MapIsNested", R"({"x":{"weight_map":{"w":"w"}}})", kFormat, "weight_map is missing"},
    {"MapIsAnArray", R"({"weight_map":["w"]})", kFormat, "weight_map is an array, expected"},
    {"MapIsNull", R"({"weight_map":null})", kFormat, "weight_map is null, expected an object"},
    {"MapIsEmpty", R"({"weight_map":{}})", kFormat, "weight_map is empty"},
    {"MapTwice", R"({"weight_map":{"w":"w"},"weight_map":{"w":"v"}})", kFormat,
     "the key 'weight_map' occurs twice"},
    {"TensorTwice", R"({"weight_map":{"w":"w","w":"v"}})", kFormat, "the key 'w' occurs twice"},
    {"TensorTwiceByAnEscape", R"({"weight_map":{"w":"w","\u0077":"v"}})", kFormat,
     "the key 'w' occurs twice"},
    {"FileIsANumber", naming("1"), kFormat, "tensor 'w': weight_map says 1, expected the name"},
    {"FileIsAnObject", naming("{}"), kFormat, "weight_map says an object"},
    {"FileIsAnArray", naming("[\"w\"]"), kFormat, "weight_map says an array"},
    {"FileIsEmpty", naming("\"\""), kFormat, kLeadsOut},
    {"FileInTheParent", naming("\"../secret\""), kFormat, kLeadsOut},
    {"FileIsTheParent", naming("\"..\""), kFormat, kLeadsOut},
    {"FileIsTheFolder", naming("\".\""), kFormat, kLeadsOut},
    {"FileIsAbsolute", naming("\"/etc/passwd\""), kFormat, kLeadsOut},
    {"FileInAnotherFolder", naming("\"a/w\""), kFormat, kLeadsOut},
    {"FileOfWindows", naming(R"("..\\w")"), kFormat, kLeadsOut},
    {"FileWithAZeroByte", naming(R"("w\u0000/../x")"), kFormat, kLeadsOut},
    {"FileWithALongName", naming("\"" + std::string(256, 'w') + "\""), kFormat, kLeadsOut},
    {"FileIsTheIndex", naming("\"file\""), kFormat, "is an index of shards, expected a file that"},
    {"FileIsAFifo", naming("\"fifo\""), kFormat, "fifo: not a regular file"},
    {"FileIsAFolder", naming("\"folder\""), kFormat, "folder: a folder, not a regular file"},
    {"FileIsADevice", naming("\"device\""), kFormat, "device: not a regular file"},
    {"FileIsMissing", naming("\"none\""), ErrorCode::kNotFound, "none: cannot open"},
    {"FileLinksToItself", naming("\"loop\""), ErrorCode::kIo, "loop: cannot open"},
    {"FileIsText", naming("\"text\""), kFormat, "text: the file is of an unknown format"},
    {"TooManyFiles", many_files((1 << 14) + 1), kFormat, "names 16385 files, expected at most"},
    {"ManyObjects", R"({"weight_map":[)" + repeated("{},", 1'000'000) + "{}]}", kFormat,
     "weight_map is an array, expected"},
    {"TooManyObjects", R"({"weight_map":[)" + repeated("{},", 1 << 20) + "{}]}", kFormat,
     "more than 1048576 objects and arrays"},
    {"DeepArrays", R"({"weight_map":)" + repeated("[", 1'000'000), kFormat,
     "nests deeper than 512 levels"},
    {"DeepObjectsBesideTheMap", R"({"weight_map":{"w":"w"},"x":)" + repeated("{\"x\":", 1'000'000),
     kFormat, "nests deeper than 512 levels"},
};

class HostileShardIndex : public testing::TestWithParam<BadFile> {};

TEST_P(HostileShardIndex, IsRefused) {
  const test::TempDir dir;
  test::set_content(dir / "file", GetParam().content);
  test::set_content(dir / "text", "words");
  std::filesystem::create_directory(dir / "folder");
  std::filesystem::create_symlink("loop", dir / "loop");
  std::filesystem::create_symlink("/dev/zero", dir / "device");
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const auto error = test::error_of_reading(dir / "file");
  ASSERT_TRUE(error) << "was accepted";
  EXPECT_EQ(error->code(), GetParam().code) << error->what();
  EXPECT_THAT(error->what(), testing::StartsWith(dir.path().string()));
  EXPECT_THAT(error->what(), testing::HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(, HostileShardIndex, testing::ValuesIn(kBadFiles), test::kind_of);

// An index of more than 64 MiB is not JSON for detection, and is refused unread.
TEST(HostileShardIndexSize, IsLimited) {
  const test::TempDir dir;
  test::set_content(dir / "file", naming("\"w\""));
  std::filesystem::resize_file(dir / "file", (std::uintmax_t{64} << 20) + 1);
  EXPECT_TRUE(test::error_of_reading(dir / "file"));
}

}  // namespace
}  // namespace pqw
