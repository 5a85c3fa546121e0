// Files that are of no format that is read.
#include "formats/detect.h"

#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::BadFile;

const BadFile kBadFiles[] = {
    {"Empty", "", ErrorCode::kFormat,
     "the file is empty; expected safetensors, .npy, .npz or HDF5"},
    {"Text", "weights", ErrorCode::kFormat,
     "of no known format, it starts with 77 65 69 67 68 74 73;"},
    {"Zeros", std::string(64, '\0'), ErrorCode::kFormat, "starts with 00 00 00 00 00 00 00 00;"},
    {"GitLfsPointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
     ErrorCode::kFormat, "a Git LFS pointer"},
    {"Gguf", "GGUF\3", ErrorCode::kUnsupported, "a GGUF file"},
    {"TensorFlowLite", std::string("\x1c\0\0\0TFL3", 8), ErrorCode::kUnsupported,
     "a TensorFlow Lite file"},
    {"Pickle", "\x80\2}q", ErrorCode::kUnsupported, "a Python pickle"},
    {"Onnx", "\x08\x07\x12\x07pytorch", ErrorCode::kUnsupported, "a protobuf message (ONNX?)"},
    {"MagicOfNpyCutShort", "\x93NUMP", ErrorCode::kFormat, "starts with 93 4e 55 4d 50;"},
};

class UnknownFile : public testing::TestWithParam<BadFile> {};
TEST_P(UnknownFile, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, UnknownFile, testing::ValuesIn(kBadFiles), test::kind_of);

FileFormat format_of(const std::string& content) {
  const test::TempDir dir;
  test::set_content(dir / "f", content);
  return detect_format(InputFile(dir / "f"));
}

TEST(Detect, TheSignatureOfHdf5MayFollowAUserBlock) {
  const std::string signature = "\x89HDF\r\n\x1a\n";
  for (const std::size_t at : {0u, 512u, 1024u, 2048u, 4096u}) {
    EXPECT_EQ(format_of(std::string(at, ' ') + signature), FileFormat::kHdf5);
  }
  for (const std::size_t at : {8u, 256u, 513u, 1536u}) {
    EXPECT_EQ(format_of(std::string(at, ' ') + signature), FileFormat::kOther);
  }
}

TEST(Detect, ABraceAfterAnImpossibleLengthIsNoSafetensors) {
  EXPECT_EQ(format_of("{\"a\": [ {}]}"), FileFormat::kOther);
}

}  // namespace
}  // namespace pqw
