// The safetensors reader and writer on files that are as they should be.
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::counting;
using test::little_endian;
using test::read_all;
using test::Tensor;
using test::write_all;
using testing::ElementsAre;
using testing::Pair;

std::string file_of(const std::string& json, const std::string& data) {
  return little_endian<std::uint64_t>({json.size()}) + json + data;
}

TEST(Safetensors, ReadsAFileWrittenByHand) {
  const test::TempDir dir;
  test::set_content(
      dir / "f",
      file_of(R"({"__metadata__":{"format":"pt"},)"
              R"("b":{"dtype":"I16","shape":[2],"data_offsets":[8,12]},)"
              R"("a":{"data_offsets":[0,8],"shape":[1,2],"dtype":"F32"}}   )",
              little_endian<float>({1.5f, -2.0f}) + little_endian<std::int16_t>({3, -4})));
  EXPECT_THAT(read_all(dir / "f"),
              ElementsAre(Tensor{{"a", DType::kF32, {1, 2}}, little_endian<float>({1.5f, -2.0f})},
                          Tensor{{"b", DType::kI16, {2}}, little_endian<std::int16_t>({3, -4})}));
  const auto reader = open_weights(dir / "f");
  EXPECT_THAT(reader->metadata(), ElementsAre(Pair("format", "pt")));
  EXPECT_TRUE(reader->skipped().empty());
}

TEST(Safetensors, WritesExactlyTheseBytes) {
  const test::TempDir dir;
  write_all(dir / "f.safetensors",
            {{{"w", DType::kF16, {2, 1}}, "abcd"}, {{"s", DType::kU8, {}}, "e"}},
            {{"k\n", "v"}, {"a", "\""}});
  const std::string json = R"({"__metadata__":{"a":"\"","k\n":"v"},)"
                           R"("w":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},)"
                           R"("s":{"dtype":"U8","shape":[],"data_offsets":[4,5]}})";
  ASSERT_EQ(json.size(), 143u);
  EXPECT_EQ(test::content(dir / "f.safetensors"), file_of(json + " ", "abcde"));
}

TEST(Safetensors, NoTensorsMakeAnEmptyObject) {
  const test::TempDir dir;
  write_all(dir / "f.safetensors", {});
  EXPECT_EQ(test::content(dir / "f.safetensors"), file_of("{}      ", ""));
  EXPECT_THAT(read_all(dir / "f.safetensors"), ElementsAre());
}

TEST(Safetensors, EmptyTensorsAtOneOffsetKeepTheOrderOfTheHeader) {
  const test::TempDir dir;
  test::set_content(dir / "f", file_of(R"({"z":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},)"
                                       R"("full":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
                                       R"("y":{"dtype":"F32","shape":[3,0],"data_offsets":[1,1]},)"
                                       R"("first":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
                                       "ab"));
  EXPECT_THAT(
      read_all(dir / "f"),
      ElementsAre(Tensor{{"first", DType::kU8, {}}, "a"}, Tensor{{"z", DType::kU8, {0}}, ""},
                  Tensor{{"y", DType::kF32, {3, 0}}, ""}, Tensor{{"full", DType::kU8, {1}}, "b"}));
}

TEST(Safetensors, NamesMayHoldAnyUtf8) {
  const test::TempDir dir;
  const std::vector<Tensor> tensors{counting("", DType::kU8, {1}),
                                    counting("weight/größe\n\"\\", DType::kU8, {2}),
                                    counting(std::string("nul\0", 4), DType::kU8, {3})};
  write_all(dir / "f.safetensors", tensors);
  EXPECT_EQ(read_all(dir / "f.safetensors"), tensors);
}

TEST(Safetensors, AlignedTensorsKeepTheGivenOrder) {
  const test::TempDir dir;
  const std::vector<Tensor> tensors{counting("h", DType::kF16, {4}),
                                    counting("d", DType::kF64, {1}),
                                    counting("b", DType::kU8, {3})};
  write_all(dir / "f.safetensors", tensors);
  EXPECT_EQ(read_all(dir / "f.safetensors"), tensors);
}

TEST(Safetensors, LargeElementsComeFirstWhenATensorWouldBeMisaligned) {
  const test::TempDir dir;
  const Tensor odd = counting("odd", DType::kU8, {3}), half = counting("half", DType::kF16, {1}),
               step = counting("step", DType::kI64, {}), mask = counting("mask", DType::kBool, {5});
  write_all(dir / "f.safetensors", {odd, half, step, mask});
  EXPECT_THAT(read_all(dir / "f.safetensors"), ElementsAre(step, half, odd, mask));
}

TEST(Safetensors, PackedAndOtherNewTypesAreReadAndWrittenBitByBit) {
  const test::TempDir dir;
  std::vector<Tensor> tensors;
  for (const DType dtype : {DType::kC64, DType::kF8E8M0, DType::kF4, DType::kF6E2M3, DType::kF6E3M2,
                            DType::kF8E4M3Fnuz, DType::kF8E5M2Fnuz}) {
    tensors.push_back(counting(std::string(to_string(dtype)), dtype, {3, 4}));
  }
  write_all(dir / "f.safetensors", tensors);
  EXPECT_EQ(read_all(dir / "f.safetensors"), tensors);
}

// 4 and 6 bits an element: 5 x 2 elements are 5 bytes, 4 are 3.
TEST(Safetensors, PackedTypesHaveTheOffsetsOfTheirBytes) {
  const test::TempDir dir;
  write_all(dir / "f.safetensors",
            {{{"four", DType::kF4, {5, 2}}, "abcde"}, {{"six", DType::kF6E3M2, {4}}, "xyz"}});
  const std::string json = R"({"four":{"dtype":"F4","shape":[5,2],"data_offsets":[0,5]},)"
                           R"("six":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[5,8]}})";
  const std::string spaces((8 - json.size() % 8) % 8, ' ');
  EXPECT_EQ(test::content(dir / "f.safetensors"), file_of(json + spaces, "abcdexyz"));
}

TEST(Safetensors, PackedTensorsDoNotMisalignOthers) {
  const test::TempDir dir;
  const Tensor packed = counting("packed", DType::kF4, {6}), half = counting("h", DType::kF16, {1}),
               pair = counting("pair", DType::kC64, {2});
  write_all(dir / "f.safetensors", {packed, half, pair});
  EXPECT_THAT(read_all(dir / "f.safetensors"), ElementsAre(pair, half, packed));
}

TEST(Safetensors, AnUnknownTypeKeepsItsNameAndItsBytes) {
  const test::TempDir dir;
  const std::string json = R"({"w":{"dtype":"I4","shape":[5],"data_offsets":[0,3]},)"
                           R"("wide":{"dtype":"F128","shape":[2],"data_offsets":[3,35]},)"
                           R"("none":{"dtype":"F3","shape":[0],"data_offsets":[35,35]}})";
  const std::string data = "abc" + std::string(32, 'w');
  test::set_content(dir / "f", file_of(json, data));
  const std::vector<Tensor> tensors = read_all(dir / "f");
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].info, (TensorInfo{"w", DType::kUnknown, {5}, UnknownType{"I4", 3}}));
  EXPECT_EQ(tensors[0].bytes, "abc");
  // Elements of 16 bytes are aligned, those of 4.8 bits are packed.
  write_all(dir / "g.safetensors", tensors);
  EXPECT_THAT(read_all(dir / "g.safetensors"), ElementsAre(tensors[1], tensors[0], tensors[2]));
}

TEST(Safetensors, ATensorCalledLikeTheMetadataCannotBeWritten) {
  const test::TempDir dir;
  try {
    write_all(dir / "f.safetensors", {counting("__metadata__", DType::kU8, {1})});
    FAIL() << "was written";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), testing::HasSubstr("tensor '__metadata__': safetensors reserves"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Safetensors, NamesAndMetadataThatAreNoUtf8CannotBeWritten) {
  const test::TempDir dir;
  const Tensor good = counting("w", DType::kU8, {1});
  EXPECT_THROW(write_all(dir / "f.safetensors", {counting("\xff", DType::kU8, {1})}), Error);
  EXPECT_THROW(write_all(dir / "f.safetensors", {good}, {{"k", "\xc3"}}), Error);
  EXPECT_THROW(write_all(dir / "f.safetensors", {good}, {{"\x80", "v"}}), Error);
  EXPECT_NO_THROW(write_all(dir / "f.safetensors", {good}, {{"k", "v"}}));
}

}  // namespace
}  // namespace pqw
