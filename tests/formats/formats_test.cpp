// Files that are of no format that is read.

#include "formats/formats.h"

#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"
#include "tests/formats/zip_building.h"

namespace pqw {
namespace {

using test::BadFile;

std::string tar() {
  std::string header(512, '\0');
  return header.replace(0, 1, "w").replace(257, 5, "ustar");
}

const BadFile kBadFiles[] = {
    {"Empty", "", ErrorCode::kFormat,
     "the file is empty; expected safetensors, .npy, .npz, ONNX, PyTorch, .keras, HDF5, GGUF, "
     "TensorFlow.js or "
     "shard index"},
    {"Text", "weights", ErrorCode::kFormat,
     "of an unknown format; it starts with 77 65 69 67 68 74 73;"},
    {"Zeros", std::string(64, '\0'), ErrorCode::kFormat, "starts with 00 00 00 00 00 00 00 00;"},
    {"GitLfsPointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
     ErrorCode::kFormat, "a Git LFS pointer, not the file; git lfs pull"},
    {"Ggml", "tjgg\3", ErrorCode::kUnsupported, "a GGML file; use"},
    {"TensorFlowLite", std::string("\x1c\0\0\0TFL3", 8), ErrorCode::kUnsupported,
     "a TensorFlow Lite file; use"},
    {"Pickle", "\x80\2}q", ErrorCode::kUnsupported,
     "a Python pickle, which torch.save did not write;"},
    {"SavedModel", "\x08\x01\x12\x07pytorch", ErrorCode::kUnsupported,
     "a protobuf message, but not an ONNX model (TensorFlow's saved_model.pb? Core ML?); convert"},
    {"CoreMl", "\x08\x05\x12\x20\n\x05image", ErrorCode::kUnsupported,
     "Core ML?); convert the model to ONNX, or"},
    {"OnnxRuntime", std::string("\x28\0\0\0ORTM", 8), ErrorCode::kUnsupported,
     "an ONNX Runtime file (.ort); use the .onnx model"},
    {"ExecuTorch",
     std::string("\x28\0\0\0"
                 "ET12",
                 8),
     ErrorCode::kUnsupported, "an ExecuTorch program; use the model"},
    {"Zlib", "x\x9c\x4b\x4c", ErrorCode::kUnsupported,
     "zlib data (of joblib?); export its weights"},
    {"Xz", std::string("\xfd\x37zXZ\0\0", 7), ErrorCode::kUnsupported, "packed by xz; unpack"},
    {"Bzip2", "BZh91AY", ErrorCode::kUnsupported, "packed by bzip2; unpack it first"},
    {"Tar", tar(), ErrorCode::kUnsupported, "a tar archive; unpack it"},
    {"MatlabOfVersion5", "MATLAB 5.0 MAT-file", ErrorCode::kUnsupported,
     "a MATLAB file of version 5; save it with -v7.3"},
    {"Html", "\xef\xbb\xbf\r\n <!DOCTYPE HTML>\n<title>Log in</title>", ErrorCode::kFormat,
     "an HTML page, not a weight file (a login or an error page?); fetch"},
    {"HtmlWithoutDoctype", "<html lang=en>", ErrorCode::kFormat, "an HTML page"},
    {"Xml", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", ErrorCode::kFormat,
     "an XML file;"},
    {"Json", "{\"hidden_size\": 768}", ErrorCode::kFormat, "JSON text, which holds no weights;"},
    {"JsonList", "[1, 2]", ErrorCode::kFormat, "JSON text, which holds no weights;"},
    {"BraceAlone", "{", ErrorCode::kFormat, "of an unknown format; it starts with 7b;"},
    {"BracketOfOtherText", "[x]", ErrorCode::kFormat, "of an unknown format"},
    {"MagicOfNpyCutShort", "\x93NUMP", ErrorCode::kFormat, "starts with 93 4e 55 4d 50;"},
};

class UnknownFile : public testing::TestWithParam<BadFile> {};
TEST_P(UnknownFile, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, UnknownFile, testing::ValuesIn(kBadFiles), test::kind_of);

std::string format_of(const std::string& content) {
  const test::TempDir dir;
  test::set_content(dir / "f", content);
  const Format* const format = find_format(InputFile(dir / "f"));
  return format == nullptr ? "none" : std::string(format->name);
}

TEST(Detect, TheSignatureOfHdf5MayFollowAUserBlock) {
  const std::string signature = "\x89HDF\r\n\x1a\n";
  for (const std::size_t at : {0u, 512u, 1024u, 2048u, 4096u}) {
    EXPECT_EQ(format_of(std::string(at, ' ') + signature), "HDF5");
  }
  for (const std::size_t at : {8u, 256u, 513u, 1536u}) {
    EXPECT_EQ(format_of(std::string(at, ' ') + signature), "none");
  }
}

TEST(Detect, ABraceAfterAnImpossibleLengthIsNoSafetensors) {
  EXPECT_EQ(format_of("{\"a\": [ {}]}"), "none");
}

TEST(Formats, ListsForMessagesFollowFromTheTable) {
  EXPECT_EQ(
      readable_formats(),
      "safetensors, .npy, .npz, ONNX, PyTorch, .keras, HDF5, GGUF, TensorFlow.js or shard index");
  EXPECT_EQ(writable_extensions(),
            (std::vector<std::string>{".safetensors", ".npy", ".npz", ".h5", ".hdf5"}));
}

TEST(Formats, AZipArchiveIsAnNpzOnlyWithAMemberThatIsANpy) {
  const std::string npy = test::npy_of("|u1", "(1,)", "a");
  EXPECT_EQ(format_of(test::zip_of({{.name = "w.npy", .stored = npy}})), ".npz");
  EXPECT_EQ(format_of(test::zip_of({{.name = "w", .stored = npy}})), "none");
  EXPECT_EQ(format_of(test::zip_of({})), ".npz");
  EXPECT_EQ(format_of("PK\3\4 broken"), ".npz");  // so that opening says what is wrong
}

}  // namespace
}  // namespace pqw
