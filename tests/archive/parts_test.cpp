// The parts of the archive that do not need HDF5: names, first block, digest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "archive/digest.h"
#include "archive/layout.h"
#include "archive/user_block.h"
#include "pqw/core/error.h"
#include "tests/archive/samples.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::archive {
namespace {

using namespace std::string_literals;
using test::counting_bytes;
using test::error_of;

TEST(LinkName, GivesTheNameBack) {
  EXPECT_EQ(name_from_link("fc1.weight"), "fc1.weight");
  EXPECT_EQ(name_from_link("a%2Fb"), "a/b");
  EXPECT_EQ(name_from_link("100%25"), "100%");
  EXPECT_EQ(name_from_link("%00%0A%7F"), "\0\n\x7f"s);
  EXPECT_EQ(name_from_link("%2E"), ".");
  EXPECT_EQ(name_from_link(".."), "..");
  EXPECT_EQ(name_from_link("%"), "");
  EXPECT_EQ(name_from_link("\xc3\xa4"), "\xc3\xa4");
}

TEST(LinkName, HasOneSpellingOnly) {
  for (const char* link : {"%2f", "%41", "%2E%2E", "a%", "a%2", "%%", "%zz", "a/b", "."}) {
    EXPECT_EQ(name_from_link(link), std::nullopt) << link;
  }
}

TEST(NameText, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(text_from_name("a/b.c\n"), "a/b.c\n");
  EXPECT_EQ(text_from_name("100%"), "100%25");
  EXPECT_EQ(text_from_name("\xc3\xa4"), "\xc3\xa4");
  EXPECT_EQ(text_from_name("\xc3\xa4\xff\xc3"), "\xc3\xa4%FF%C3");
  EXPECT_EQ(text_from_name(""), "");
}

TEST(NameText, GivesEveryByteBack) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name(1, static_cast<char>(byte));
    EXPECT_EQ(name_from_text(text_from_name(name)), name);
    EXPECT_EQ(name_from_text(text_from_name("x" + name + "y")), "x" + name + "y");
  }
}

TEST(NameText, HasOneSpellingOnly) {
  for (const char* text : {"%ff", "%41", "%C3%A4", "a%", "a%2", "%%", "%zz", "\xff", "%2F"}) {
    EXPECT_EQ(name_from_text(text), std::nullopt) << text;
  }
}

TEST(Digest, IsSha256) {
  // FIPS 180-4's example and the digest of nothing.
  const std::string abc = "abc";
  EXPECT_EQ(to_hex(sha256(std::as_bytes(std::span(abc)))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, OfAFileIsThatOfItsBytesFromTheOffset) {
  const test::TempDir dir;
  const std::string path = dir / "f";
  for (const std::size_t n : {0u, 5u, 512u, 513u, (1u << 20) + 511u, (1u << 20) + 512u, 3u << 20}) {
    const auto bytes = counting_bytes(n);
    test::set_content(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const auto rest = std::span(bytes).subspan(std::min<std::size_t>(n, 512));
    EXPECT_EQ(sha256_from(InputFile(path), 512), sha256(rest)) << n;
  }
}

TEST(Digest, OfAFileThatIsCutIsAnError) {
  const test::TempDir dir;
  const std::string path = dir / "f";
  test::set_content(path, std::string(5000, 'x'));
  const InputFile file(path);
  std::filesystem::resize_file(path, 4096);
  EXPECT_EQ(error_of([&] { (void)sha256_from(file, 512); }).code(), ErrorCode::kIo);
}

class UserBlockText : public ::testing::Test {
 protected:
  const UserBlock block_{.version = 2, .file_bytes = 12345, .sha256 = std::string(64, 'e')};
  const std::array<std::byte, 512> bytes_ = render(block_);

  ErrorCode code_of(std::span<const std::byte> bytes) {
    return error_of([&] { (void)parse(bytes, "f"); }).code();
  }
};

TEST_F(UserBlockText, IsReadable) {
  const std::string text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  EXPECT_TRUE(text.starts_with("pqw archive\nversion 2\nbytes 12345\nsha256 " +
                               std::string(64, 'e') +
                               "\ncheck: tail -c +513 FILE | sha256sum\n  "));
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(UserBlockText, GivesItsFieldsBack) {
  const UserBlock parsed = parse(bytes_, "f");
  EXPECT_EQ(parsed.file_bytes, block_.file_bytes);
  EXPECT_EQ(parsed.sha256, block_.sha256);
}

TEST_F(UserBlockText, EveryFlippedBitOutsideTheValuesIsFound) {
  const std::size_t digest = 12 + 10 + 12 + 7;  // the lines before and "sha256 "
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = bytes_;
      damaged[i] ^= static_cast<std::byte>(1 << bit);
      const bool in_number = i >= 28 && i < 33;
      const bool in_digest = i >= digest && i < digest + 64;
      if (in_number || in_digest) continue;  // other values are found against the file
      EXPECT_NE(code_of(damaged), ErrorCode::kInvalidArgument) << "byte " << i << " bit " << bit;
    }
  }
}

TEST_F(UserBlockText, KindsOfDamageHaveTheirCodes) {
  EXPECT_EQ(code_of({}), ErrorCode::kFormat);
  EXPECT_EQ(code_of(std::span(bytes_).first(11)), ErrorCode::kFormat);
  EXPECT_EQ(code_of(std::span(bytes_).first(12)), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of(std::span(bytes_).first(511)), ErrorCode::kCorrupt);
  auto newer = bytes_;
  newer[20] = std::byte{'3'};
  EXPECT_EQ(code_of(newer), ErrorCode::kUnsupported);
  auto not_hexadecimal = bytes_;
  not_hexadecimal[41] = std::byte{'g'};
  EXPECT_EQ(code_of(not_hexadecimal), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace pqw::archive
