// The examples of docs/archive_format.md, one for each version of the format: the archives that they
// describe, of tests/golden, are compared with the numbers in the document, so that neither drifts
// from the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "archive/digest.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/weight.h"
#include "tests/archive/stored_bytes.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using archive::sha256;
using archive::to_hex;
using test::stored_bytes;
using testing::ElementsAreArray;
using testing::StartsWith;

// "00 3c": two hexadecimal digits a byte.
std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", std::to_integer<unsigned>(byte));
    text += (text.empty() ? std::string() : std::string(" ")) + digits;
  }
  return text;
}

// The numbers of a text, without those of "(0,1,0):", which are indices.
std::vector<float> numbers(const std::string& text) {
  static const std::regex number(R"(\([0-9,]*\):|(-?[0-9]+(?:\.[0-9]+)?))");
  std::vector<float> values;
  for (std::sregex_iterator i(text.begin(), text.end(), number), end; i != end; ++i) {
    if ((*i)[1].matched) values.push_back(std::strtof((*i)[1].str().c_str(), nullptr));
  }
  return values;
}

class ArchiveFormatExample : public testing::Test {
 protected:
  explicit ArchiveFormatExample(const std::string& version = "v2")
      : path_(std::string(PQW_GOLDEN) + "/" + version + "/example.h5") {}

  // What steps 1 to 4 of the example derive.
  static PqWeight weight() {
    PqWeight weight;
    weight.shape = {2, 5};
    weight.block_size = 2;
    weight.n_centroids = 3;
    weight.options = "block_size=2,centroids=3";
    weight.codebooks = {0, 0, 1, -1, 0.5f, 2};
    weight.codes = {1, 2, 0, 1, 2, 1};
    return weight;
  }

  // What the document says between the two texts, the first time after the place `from`.
  std::string said(const std::string& before, const std::string& after,
                   const std::string& from = "## An example by hand") const {
    const std::size_t place = document_.find(from);
    const std::size_t begin = document_.find(before, place);
    const std::size_t end = document_.find(after, begin + before.size());
    if (place == std::string::npos || begin == std::string::npos || end == std::string::npos) {
      ADD_FAILURE() << "docs/archive_format.md has no '" << before << " ... " << after
                    << "' after '" << from << "'";
      return "";
    }
    return document_.substr(begin + before.size(), end - begin - before.size());
  }

  const std::string document_ = test::content(PQW_ARCHIVE_FORMAT);
  const std::string path_;
  const ArchiveReader reader_{path_};
};

TEST_F(ArchiveFormatExample, FirstBlockIsTheOneShown) {
  const std::string file = test::content(path_);
  EXPECT_THAT(file, StartsWith("pqw archive\n" + said("pqw archive\n", "```", "## First block")));
  EXPECT_EQ(file.size(), std::stoul(said("\nbytes ", "\n", "## First block")));
  EXPECT_EQ(to_hex(sha256(std::as_bytes(std::span(file)).subspan(512))),
            said("\nsha256 ", "\n", "## First block"));
}

TEST_F(ArchiveFormatExample, IsWhatIsWritten) {
  const test::TempDir dir;
  const std::vector<float> bias{1, -0.5f};
  ArchiveWriter writer(dir / "a.h5", {});
  writer.add_plain({"fc/bias", DType::kF32, {2}}, std::as_bytes(std::span(bias)));
  writer.add(to_record(weight(), "fc/weight"));
  writer.commit();
  EXPECT_EQ(stored_bytes(dir / "a.h5", "data"), stored_bytes(path_, "data"));
  EXPECT_EQ(stored_bytes(dir / "a.h5", "manifest"), stored_bytes(path_, "manifest"));
}

TEST_F(ArchiveFormatExample, BytesAreTheOnesShown) {
  std::string index = said("```\n", "\n```", "The index, here with line breaks:");
  std::erase(index, '\n');
  std::string data = said("```\n", "\n```", "12 of `codebooks`, 2 of `codes`");
  std::ranges::replace(data, '\n', ' ');
  EXPECT_EQ(hex(stored_bytes(path_, "data")), data);
  const auto manifest = stored_bytes(path_, "manifest");
  ASSERT_EQ(manifest.size(), std::stoul(said("The manifest has ", " bytes")));
  const auto digest = [&](std::size_t i) { return hex(std::span(manifest).subspan(32 * i, 32)); };
  EXPECT_EQ(digest(0), hex(sha256(std::as_bytes(std::span(index)))));
  EXPECT_EQ(digest(1), hex(sha256(stored_bytes(path_, "data"))));
  EXPECT_THAT(digest(0), StartsWith(said("the digest of the index begins `", "`")));
  EXPECT_THAT(digest(1), StartsWith(said("that of the data `", "`")));
}

TEST_F(ArchiveFormatExample, DecodesToTheMatrixShown) {
  const PqWeight read = PqCodec::from_record(reader_.read(1));
  std::vector<float> codes(read.codes.begin(), read.codes.end());
  EXPECT_EQ(codes, numbers(said("which are the codes ", " and padding")));
  std::vector<float> w(10);
  PqCodec::decode_rows(read, 0, {w.data(), 2, 5});
  EXPECT_EQ(w, numbers(said("W = ", "```", "1. rows = 2")));
}

class Version1Example : public ArchiveFormatExample {
 protected:
  Version1Example() : ArchiveFormatExample("v1") {}
};

TEST_F(Version1Example, DumpIsOfThisArchive) {
  const std::vector<ArchiveEntry>& entries = reader_.entries();
  ASSERT_EQ(entries.size(), 2u);
  const auto bias = numbers(said("DATA { ", " }", "DATASET \"fc%2Fbias\""));
  EXPECT_THAT(reader_.read_plain(0), ElementsAreArray(std::as_bytes(std::span(bias))));
  const auto attribute = [&](const std::string& name) {
    return said("DATA { (0): ", " }", "ATTRIBUTE \"" + name + "\"");
  };
  EXPECT_EQ(attribute("codec"), '"' + entries[1].codec + '"');
  EXPECT_EQ(attribute("dtype"), '"' + std::string(to_string(entries[1].info.dtype)) + '"');
  EXPECT_EQ(attribute("options"), '"' + entries[1].options + '"');
  EXPECT_EQ('[' + attribute("shape") + ']', to_string(entries[1].info.shape));

  const Record record = reader_.read(1);
  EXPECT_EQ(numbers(said("SIMPLE { ", " /", "DATASET \"codebooks\"")),
            std::vector<float>(record.sections[0].shape.begin(), record.sections[0].shape.end()));
  EXPECT_EQ(numbers(said("DATA { ", " }", "DATASET \"codebooks\"")),
            PqCodec::from_record(record).codebooks);
  const auto stream = stored_bytes(path_, "tensors/fc%2Fweight/codes");
  std::vector<float> codes;
  for (const std::byte byte : stream) codes.push_back(std::to_integer<std::uint8_t>(byte));
  EXPECT_EQ(numbers(said("DATA { ", " }", "DATASET \"codes\"")), codes);
}

TEST_F(Version1Example, BytesAreTheOnesShown) {
  const std::string path = "tensors/fc%2Fweight/";
  std::string codebooks = said("bytes of `codebooks` are `", "`");
  codebooks = std::regex_replace(codebooks, std::regex("  "), " ");
  EXPECT_EQ(hex(stored_bytes(path_, path + "codebooks")), codebooks);
  EXPECT_EQ(hex(stored_bytes(path_, path + "codes")), said("those of `codes` `", "`"));
}

TEST_F(Version1Example, ManifestIsOfTheListShown) {
  std::string list = said("```\n", "\n```", "The list of objects is (zero bytes as `|`)");
  std::ranges::replace(list, '|', '\0');
  const std::vector<std::byte> manifest = stored_bytes(path_, "manifest");
  ASSERT_EQ(manifest.size(), std::stoul(said("and the manifest, of ", " bytes")));
  const auto digest = [&](std::size_t i) { return std::span(manifest).subspan(32 * i, 32); };
  EXPECT_EQ(hex(digest(0)), hex(sha256(std::span(manifest).subspan(32))));
  EXPECT_EQ(hex(digest(1)), hex(sha256(std::as_bytes(std::span(list)))));
  EXPECT_THAT(hex(digest(0)), StartsWith(said("begins `", "`", "and the manifest, of")));
  EXPECT_THAT(hex(digest(1)), StartsWith(said("the digest of the list `", "`")));
  EXPECT_THAT(hex(digest(2)), StartsWith(said("bytes `", "`", "that of the bias's 8")));
}

TEST_F(Version1Example, DecodesToTheMatrixShown) {
  const PqWeight read = PqCodec::from_record(reader_.read(1));
  std::vector<float> codes(read.codes.begin(), read.codes.end());
  EXPECT_EQ(codes, numbers(said("which are the codes ", " and padding")));
  std::vector<float> w(10);
  PqCodec::decode_rows(read, 0, {w.data(), 2, 5});
  EXPECT_EQ(w, numbers(said("W = ", "```", "1. rows = 2")));
}

}  // namespace
}  // namespace pqw
