// Files that gzip or zstd packed.
#include "formats/packed.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>

#include "tests/formats/file_testing.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using test::counting;
using test::Tensor;
using testing::HasSubstr;

std::string gzip(std::string text) {
  z_stream stream = {};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string packed(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

using Pack = std::string (*)(const std::string&);
const std::pair<const char*, Pack> kPackings[] = {
    {".gz", [](const std::string& text) { return gzip(text); }}, {".zst", zstd}};

// What is in the file "f" of that content.
std::string unpack(const std::string& content) {
  const test::TempDir dir;
  test::set_content(dir / "f", content);
  const InputFile file = unpacked(InputFile(dir / "f"));
  return test::text_of(file.read_start(file.size()));
}

std::string error_of(const std::string& content) {
  try {
    return "read: " + unpack(content);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Packed, WeightsAreReadFromThem) {
  const test::TempDir dir;
  const Tensor tensor = counting("arr_0", DType::kF32, {300, 500});
  for (const char* name : {"w.safetensors", "w.npy", "w.npz", "w.h5"}) {
    test::write_all(dir / name, {tensor});
    for (const auto& [extension, pack] : kPackings) {
      const std::string path = dir / (name + std::string(extension));
      test::set_content(path, pack(test::content(dir / name)));
      EXPECT_EQ(test::read_all(path), std::vector{tensor}) << path;
      EXPECT_EQ(open_weights(path)->files(), std::vector{path});
    }
  }
}

// Sizes around those of the pieces in which files are unpacked.
TEST(Packed, EverySizeIsUnpacked) {
  for (const std::size_t n : {0u, 1u, 262143u, 262144u, 262145u, 524288u, 1000000u}) {
    std::string text(n, 'x');
    for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>(i * i % 251);
    for (const auto& [extension, pack] : kPackings) {
      EXPECT_TRUE(unpack(pack(text)) == text) << n << extension;
      EXPECT_TRUE(unpack(pack(text) + pack("tail")) == text + "tail") << n << extension;
    }
  }
}

TEST(Packed, OtherFilesStayAsTheyAre) { EXPECT_EQ(unpack("words"), "words"); }

TEST(Packed, MessagesNameTheFileInside) {
  const test::TempDir dir;
  test::set_content(dir / "w.npy.gz", gzip("words"));
  const auto error = test::error_of_reading(dir / "w.npy.gz");
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("w.npy.gz: w.npy: the file is of an unknown format"));
}

TEST(Packed, TemplatesMustBeUnpacked) {
  const test::TempDir dir;
  const Tensor a = counting("a", DType::kF32, {2, 3});
  test::write_all(dir / "w.safetensors", {a});
  test::set_content(dir / "w.gz", gzip(test::content(dir / "w.safetensors")));
  const Error error =
      test::error_of([&] { (void)create_copy(dir / "w.gz", dir / "out.safetensors", {a.info}); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(),
              HasSubstr("a template cannot be packed by gzip; unpack it first: gunzip FILE.gz"));
}

TEST(Packed, BrokenDataIsAnError) {
  const std::string text(1000, 'x');
  const std::string gz = gzip(text), zst = zstd(text);
  EXPECT_THAT(error_of(gz.substr(0, gz.size() - 1)), HasSubstr("the gzip data ends early"));
  EXPECT_THAT(error_of(gz.substr(0, 2)), HasSubstr("the gzip data ends early"));
  EXPECT_THAT(error_of(gz + "tail"), HasSubstr("broken gzip data: incorrect header check"));
  std::string wrong = gz;
  wrong[wrong.size() - 8] ^= 1;  // the checksum
  EXPECT_THAT(error_of(wrong), HasSubstr("broken gzip data: incorrect data check"));
  EXPECT_THAT(error_of(zst.substr(0, zst.size() - 1)), HasSubstr("the zstd data ends early"));
  EXPECT_THAT(error_of(zst + "tail"), HasSubstr("broken zstd data: "));
}

TEST(Packed, BombsAreRefused) {
  const std::string zeros((64 << 20) + 5'000'000, '\0');  // 200 times the file is less
  EXPECT_THAT(error_of(zstd(zeros)), HasSubstr("unpacks to more than 200 times its"));
  EXPECT_EQ(unpack(zstd(zeros.substr(5'000'000))).size(), std::size_t{64} << 20);
}

TEST(Packed, OneLevelIsUnpacked) {
  const test::TempDir dir;
  test::set_content(dir / "f", gzip(gzip("words")));
  const auto error = test::error_of_reading(dir / "f");
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("f: content: the file is packed by gzip; unpack it first"));
}

TEST(Packed, ArchivesAreRefused) {
  EXPECT_THAT(error_of(gzip("pqw archive\nversion 2\n")),
              HasSubstr("a pqw archive packed by gzip; unpack it first"));
}

TEST(Packed, AnIndexInsideIsRefused) {
  const test::TempDir dir;
  test::set_content(dir / "f.gz", gzip(R"({"weight_map":{"a":"w.safetensors"}})"));
  const auto error = test::error_of_reading(dir / "f.gz");
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("names other files; give it unpacked, by its path"));
}

TEST(Packed, AMissingFolderForTheCopyIsNamed) {
  const test::TempDir dir;
  test::set_content(dir / "f.gz", gzip("words"));
  ::setenv("TMPDIR", "/nonexistent", 1);
  const auto error = test::error_of_reading(dir / "f.gz");
  ::unsetenv("TMPDIR");
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("make a temporary file for it in /nonexistent"));
}

}  // namespace
}  // namespace pqw
