// GGUF files that are as they should be, and quantized ones.
#include <gtest/gtest.h>

#include "tests/formats/gguf_building.h"

namespace pqw {
namespace {

using test::gguf_entry;
using test::gguf_of;
using test::gguf_tensor;
using test::gguf_text;
using test::little_endian;
using test::Tensor;
using test::u32;
using test::u64;
using testing::ElementsAre;

constexpr std::uint32_t kF32 = 0, kF16 = 1, kBf16 = 30, kText = 8, kArray = 9;

std::unique_ptr<WeightReader> open(const test::TempDir& dir, const std::string& content) {
  test::set_content(dir / "m.gguf", content);
  return open_weights(dir / "m.gguf");
}

TEST(Gguf, SizesAreReversedAndDataIsAligned) {
  const test::TempDir dir;
  std::string data(64, '\0');
  data.replace(32, 6, "abcdef");
  data.replace(0, 24, little_endian<float>({1, 2, 3, 4, 5, 6}));
  data += "gh";
  (void)open(
      dir, gguf_of({.entries = {gguf_entry("general.name", kText, gguf_text("tiny"))},
                    .tensors = {gguf_tensor("b", {3}, kF16, 32), gguf_tensor("w", {3, 2}, kF32, 0),
                                gguf_tensor("s", {}, kBf16, 64)},
                    .data = data}));
  EXPECT_THAT(test::read_all(dir / "m.gguf"),
              ElementsAre(Tensor{{"b", DType::kF16, {3}}, "abcdef"},
                          Tensor{{"w", DType::kF32, {2, 3}}, data.substr(0, 24)},
                          Tensor{{"s", DType::kBF16, {}}, "gh"}));
}

TEST(Gguf, TextIsKeptAndOtherMetadataIsReported) {
  const test::TempDir dir;
  const std::string tokens = u32(kText) + u64(2) + gguf_text("a") + gguf_text("bc");
  const auto reader = open(
      dir,
      gguf_of({.entries = {gguf_entry("general.architecture", kText, gguf_text("llama")),
                           gguf_entry("layers", 4, u32(7)), gguf_entry("tokens", kArray, tokens),
                           gguf_entry("scores", kArray, u32(6) + u64(2) + std::string(8, 'x')),
                           gguf_entry("bytes", kText, gguf_text("\xff"))}}));
  EXPECT_EQ(reader->metadata(), (Metadata{{"general.architecture", "llama"}}));
  EXPECT_THAT(test::skipped_in(*reader),
              ElementsAre("'layers' and 3 more entries of metadata are not text"));
}

TEST(Gguf, TheAlignmentMayBeGiven) {
  const test::TempDir dir;
  (void)open(dir, gguf_of({.entries = {gguf_entry("general.alignment", 4, u32(8))},
                           .tensors = {gguf_tensor("w", {2}, 24, 8)},
                           .data = "01234567ab",
                           .alignment = 8,
                           .version = 2}));
  EXPECT_THAT(test::read_all(dir / "m.gguf"), ElementsAre(Tensor{{"w", DType::kI8, {2}}, "ab"}));
}

TEST(Gguf, EmbeddingsAreTold) {
  const test::TempDir dir;
  const auto reader = open(
      dir,
      gguf_of({.tensors = {gguf_tensor("token_embd.weight", {1, 1}, kF32, 0)}, .data = "abcd"}));
  EXPECT_EQ(reader->tensors()[0].layout.kind, Kind::kEmbedding);
}

TEST(Gguf, AQuantizedTensorIsNamedWithItsType) {
  const test::TempDir dir;
  test::set_content(dir / "m.gguf", gguf_of({.tensors = {gguf_tensor("blk.0.w", {32}, 12, 0)},
                                             .data = std::string(144, 'q')}));
  const auto error = test::error_of_reading(dir / "m.gguf");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error->what(), testing::HasSubstr("tensor 'blk.0.w': is quantized already, to Q4_K"));
}

}  // namespace
}  // namespace pqw
