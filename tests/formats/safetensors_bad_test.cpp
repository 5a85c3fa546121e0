// Safetensors files that break a rule of the format, one rule each.
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::BadFile;
using test::little_endian;

constexpr ErrorCode kFormat = ErrorCode::kFormat;

std::string with_length(std::uint64_t length, const std::string& rest) {
  return little_endian<std::uint64_t>({length}) + rest;
}

std::string file_of(const std::string& json, const std::string& data = "") {
  return with_length(json.size(), json + data);
}

// A file with one tensor "w" of four bytes, described by these fields.
std::string entry(const std::string& fields) { return file_of("{\"w\":{" + fields + "}}", "abcd"); }

std::string shaped(const std::string& shape, const std::string& dtype = "U8") {
  return entry(R"("dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[0,4])");
}

std::string at(const std::string& offsets) {
  return entry(R"("dtype":"U8","shape":[4],"data_offsets":)" + offsets);
}

// Two tensors of two bytes each, at these offsets, in a file with five bytes of data.
std::string two_at(const std::string& first, const std::string& second) {
  const std::string kFields = R"({"dtype":"U8","shape":[2],"data_offsets":)";
  return file_of("{\"v\":" + kFields + first + "},\"w\":" + kFields + second + "}}", "abcde");
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

const BadFile kBadFiles[] = {
    {"HeaderLongerThanTheFile", with_length(11, "{}        "), kFormat,
     "header of 11 bytes, the file has 10"},
    {"HeaderOver100Megabytes", with_length(100'000'001, "{}"), kFormat,
     "header of 100000001 bytes, safetensors allows 100000000"},
    {"HeaderOfNoBytes", with_length(0, "{}"), kFormat, "the header starts with ''"},
    {"HeaderCutShort", file_of("{\"w\":{\"dtype\":"), kFormat, "not valid JSON"},
    {"TextAfterTheObject", file_of("{} x"), kFormat, "not valid JSON at byte 4"},
    {"NulAfterTheObject", file_of(std::string("{}\0", 3)), kFormat,
     "a NUL byte at byte 2 of the header"},
    {"CommentInTheHeader", file_of("{/**/}"), kFormat, "not valid JSON"},
    {"NameThatIsNoUtf8", file_of("{\"\xff\":{}}"), kFormat, "invalid string"},
    {"NameWithALoneSurrogate", file_of(R"({"\ud800":{}})"), kFormat, "not valid JSON"},
    {"TensorTwice",
     file_of(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
             R"("w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
     kFormat, "tensor 'w': the name occurs twice"},
    {"TensorTwiceByAnEscape",
     file_of(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
             R"("\u0077":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
     kFormat, "tensor 'w': the name occurs twice"},
    {"MetadataTwice", file_of(R"({"__metadata__":{},"__metadata__":{}})"), kFormat,
     "'__metadata__': the name occurs twice"},
    {"MetadataKeyTwice", file_of(R"({"__metadata__":{"a":"1","a":"1"}})"), kFormat,
     "the key 'a' occurs twice"},
    {"MetadataThatIsNoString", file_of(R"({"__metadata__":{"a":1}})"), kFormat,
     "'a' is 1, expected a string"},
    {"MetadataThatIsNested", file_of(R"({"__metadata__":{"a":{}}})"), kFormat,
     "'a' is an object, expected a string"},
    {"MetadataThatIsNoObject", file_of(R"({"__metadata__":"a"})"), kFormat,
     "maps it to a string, expected an object"},
    {"DtypeTwice", entry(R"("dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4])"), kFormat,
     "tensor 'w': the key 'dtype' occurs twice"},
    {"ShapeTwice", entry(R"("shape":[4],"shape":[4],"dtype":"U8","data_offsets":[0,4])"), kFormat,
     "the key 'shape' occurs twice"},
    {"UnknownKey", entry(R"("dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1)"), kFormat,
     "unknown key 'x'"},
    {"DtypeMissing", entry(R"("shape":[4],"data_offsets":[0,4])"), kFormat, "dtype is missing"},
    {"ShapeMissing", entry(R"("dtype":"U8","data_offsets":[0,4])"), kFormat, "shape is missing"},
    {"OffsetsMissing", entry(R"("dtype":"U8","shape":[4])"), kFormat, "data_offsets is missing"},
    {"DtypeThatIsNoString", entry(R"("dtype":8,"shape":[4],"data_offsets":[0,4])"), kFormat,
     "dtype is 8, expected a string"},
    {"DtypeThatIsNoName", shaped("[4]", "U8 "), kFormat,
     "tensor 'w': dtype 'U8 ' is not a valid type name"},
    {"DtypeEmpty", shaped("[4]", ""), kFormat, "dtype '' is not a valid type name"},
    {"DtypeOfManyLetters", shaped("[4]", repeated("x", 65)), kFormat, "is not a valid type name"},
    {"HalfABytePacked", shaped("[7]", "F4"), kFormat,
     "tensor 'w': shape [7] of F4 does not fill whole bytes"},
    {"QuarterOfABytePacked", shaped("[5]", "F6_E2M3"), kFormat,
     "shape [5] of F6_E2M3 does not fill whole bytes"},
    {"TooFewBytesPacked", shaped("[16]", "F4"), kFormat,
     "4 bytes stored, shape [16] of F4 needs 8"},
    {"ProductOfPackedThatOverflows", shaped("[4611686018427387904]", "F4"), kFormat,
     "is too large: its sizes exceed 63 bits"},
    {"TooFewBytesOfAnUnknownType", shaped("[33]", "I1"), kFormat,
     "4 bytes stored, shape [33] of I1 needs at least one bit per element"},
    {"ShapeOfAnUnknownTypeThatOverflows", shaped("[4294967296,4294967296,4]", "I4"), kFormat,
     "needs at least one bit per element"},
    {"TensorThatIsNoObject", file_of(R"({"w":null})"), kFormat, "maps it to null"},
    {"ShapeThatIsANumber", shaped("4"), kFormat, "shape is 4, expected an array"},
    {"ShapeThatIsNested", shaped("[[4]]"), kFormat, "shape holds an array"},
    {"DimensionNegative", shaped("[-4]"), kFormat, "shape holds -4, expected whole numbers"},
    {"DimensionFractional", shaped("[4.0]"), kFormat, "shape holds 4.0"},
    {"DimensionOfTrue", shaped("[true,4]"), kFormat, "shape holds true"},
    {"DimensionInQuotes", shaped(R"(["4"])"), kFormat, "shape holds a string"},
    {"DimensionOver64Bits", shaped("[18446744073709551616]"), kFormat,
     "shape holds 18446744073709551616"},
    {"DimensionOver63Bits", shaped("[9223372036854775808]"), kFormat,
     "shape holds 9223372036854775808"},
    {"ProductThatWrapsToTheSize", shaped("[4294967296,4294967296,4]"), kFormat,
     "is too large: its sizes exceed 63 bits"},
    {"BytesThatWrapToTheSize", shaped("[4611686018427387905]", "F32"), kFormat,
     "is too large: its sizes exceed 63 bits"},
    {"HugeDimensionsBesideZero", shaped("[0,9223372036854775807,9223372036854775807]"), kFormat,
     "exceed 63 bits"},
    {"TooFewBytes", shaped("[4,8]", "F32"), kFormat,
     "tensor 'w': 4 bytes stored, shape [4, 8] of F32 needs 128"},
    {"TooManyBytes", shaped("[]"), kFormat, "4 bytes stored, shape [] of U8 needs 1"},
    {"OffsetsBackwards", at("[4,0]"), kFormat, "data_offsets [4, 0] run backwards"},
    {"OneOffset", at("[4]"), kFormat, "data_offsets holds 1 numbers, expected 2"},
    {"ThreeOffsets", at("[0,2,4]"), kFormat, "data_offsets holds 3 numbers"},
    {"OffsetNegative", at("[-1,3]"), kFormat, "data_offsets holds -1"},
    {"OffsetsBeyondTheFile",
     file_of(R"({"w":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})", "abcd"), kFormat,
     "data ends at 5, the file holds 4"},
    {"FirstTensorNotAtZero", two_at("[1,3]", "[3,5]"), kFormat,
     "tensor 'v': data starts at 1, expected 0 (the tensors leave a hole)"},
    {"HoleBetweenTensors", two_at("[0,2]", "[3,5]"), kFormat,
     "tensor 'w': data starts at 3, expected 2 (the tensors leave a hole)"},
    {"TensorsThatOverlap", two_at("[0,2]", "[1,3]"), kFormat,
     "tensor 'w': data starts at 1, expected 2 (the tensors overlap)"},
    {"TensorsThatShareBytes", two_at("[0,2]", "[0,2]"), kFormat, "the tensors overlap"},
    {"BytesAfterTheLastTensor", two_at("[0,2]", "[2,4]"), kFormat,
     "5 bytes of data, the tensors cover 4"},
    {"EmptyTensorBeyondTheFile",
     file_of(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[7,7]}})"), kFormat,
     "data starts at 7, expected 0"},
    {"DeepNestingOfArrays", file_of("{\"w\":" + repeated("[", 1'000'000)), kFormat,
     "maps it to an array"},
    {"DeepNestingOfObjects", file_of(repeated("{\"w\":", 1000000)), kFormat,
     "tensor 'w': unknown key 'w'"},
    {"ControlCharactersAreEscapedInTheMessage", file_of("{\"\\u001b[2J\":1}"), kFormat,
     "tensor '\\x1b[2J'"},
};

class BadSafetensors : public testing::TestWithParam<BadFile> {};
TEST_P(BadSafetensors, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, BadSafetensors, testing::ValuesIn(kBadFiles), test::kind_of);

}  // namespace
}  // namespace pqw
