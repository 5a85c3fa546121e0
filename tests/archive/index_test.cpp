// The index of version 2: what is written, and that everything else is refused.
#include "archive/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/archive/samples.h"

namespace pqw::archive {
namespace {

using test::error_of;
using ::testing::HasSubstr;

const Subject kArchive{"a.h5", ErrorCode::kCorrupt};

constexpr char kPlain[] = R"({"dtype":"F32","name":"b","shape":[2]})";

Index parsed(const std::string& tensors) {
  return parse_index(R"({"tensors":[)" + tensors + "]}", kArchive);
}

// The message for a list of tensors, without the name of the file.
std::string message_of(const std::string& tensors) {
  const Error error = error_of([&] { (void)parsed(tensors); });
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.what();
  const std::string message = error.what();
  EXPECT_TRUE(message.starts_with("a.h5: ")) << message;
  return message.substr(6);
}

// A compressed tensor "w" with more in its object.
std::string compressed(const std::string& more, const std::string& codec = R"("pq")") {
  return R"({"codec":)" + codec + R"(,"dtype":"F32","name":"w","shape":[4,6])" + more + "}";
}

TEST(Index, IsTheTextOfTheSpecification) {
  Record record = test::pq_record("w\xff");
  record.features = {"a", "b"};
  record.parts = {test::pq_record("inner")};
  std::ranges::reverse(record.sections);
  IndexWriter writer({{"key", "value"}}, kArchive);
  writer.add(record);
  writer.add_plain({"b", DType::kU8, {}});
  const std::string sections =
      R"("sections":[["codebooks","F16",[1,4,3]],["codes","U8",[2]]],"shape":[4,6]})";
  EXPECT_EQ(writer.text(),
            R"({"metadata":{"key":"value"},"tensors":[{"codec":"pq","dtype":"F32",)"
            R"("features":["a","b"],"name":"w%FF","options":"block_size=3,n_centroids=4",)"
            R"("parts":[{"codec":"pq","dtype":"F32","name":"inner",)"
            R"("options":"block_size=3,n_centroids=4",)" +
                sections + "]," + sections + R"(,{"dtype":"U8","name":"b","shape":[]}]})");
  EXPECT_EQ(writer.data_bytes(), 2 * (24u + 2u) + 1u);
}

TEST(Index, GivesEverythingBack) {
  Record record = test::pq_record("w\xff%");
  record.parts = {test::pq_record("inner")};
  IndexWriter writer({}, kArchive);
  writer.add(record);
  const Index index = parse_index(writer.text(), kArchive);
  ASSERT_EQ(index.tensors.size(), 1u);
  const Record& found = index.tensors[0];
  EXPECT_EQ(found.info, record.info);
  EXPECT_EQ(found.codec, "pq");
  EXPECT_EQ(found.options, record.options);
  ASSERT_EQ(found.sections.size(), 2u);
  EXPECT_EQ(found.sections[1].name, "codes");
  EXPECT_EQ(found.sections[1].shape, Shape{2});
  ASSERT_EQ(found.parts.size(), 1u);
  EXPECT_EQ(found.parts[0].info, record.parts[0].info);
}

TEST(Index, LeavesOutWhatEncodingFinds) {
  std::string outcomes;
  EXPECT_EQ(without_outcomes("a=1,gain_factor=1.25,b=?,x.gain_limit=c,gain_limit=none", outcomes),
            "a=1,gain_factor=????,b=?,x.gain_limit=c,gain_limit=????");
  EXPECT_EQ(outcomes, "1.25?none");
  EXPECT_EQ(without_outcomes("gain_factor", outcomes), "gain_factor");
  EXPECT_EQ(outcomes, "1.25?none");
  Record record = test::pq_record("w");
  record.options = "gain_factor=1.25";
  record.parts = {test::pq_record("inner")};
  record.parts[0].options = "?";
  IndexWriter writer({}, kArchive);
  writer.add(record);
  EXPECT_EQ(writer.outcomes(), "1.25?");
  EXPECT_EQ(writer.data_bytes(), 2 * (24u + 2u) + 5u);
  Index index = parse_index(writer.text(), kArchive);
  EXPECT_EQ(n_outcomes(index.tensors.at(0)), 5u);
  std::string_view rest = writer.outcomes();
  put_outcomes(index.tensors[0], rest);
  EXPECT_EQ(rest, "");
  EXPECT_EQ(index.tensors[0].options, record.options);
  EXPECT_EQ(index.tensors[0].parts[0].options, "?");
}

TEST(Index, KeysOfLaterWritersAreIgnored) {
  const Index index = parse_index(
      R"({"later":[{"name":1}],"tensors":[{"dtype":"F32","name":"b","shape":[],"x":[{}]}]})",
      kArchive);
  EXPECT_EQ(index.tensors.size(), 1u);
}

TEST(Index, OfAnotherStructureIsRefused) {
  const auto message = [](const std::string& text) {
    return std::string(error_of([&] { (void)parse_index(text, kArchive); }).what());
  };
  for (const char* text : {"", "{", "{}x", "\xff", R"({"tensors":[01]})"}) {
    EXPECT_EQ(message(text), "a.h5: index: not JSON") << text;
  }
  EXPECT_EQ(message("[]"), "a.h5: index: not a JSON object");
  EXPECT_EQ(message("{}"), "a.h5: index: 'tensors' is missing in the index");
  EXPECT_THAT(message(R"({"tensors":{}})"), HasSubstr("'tensors' is of the JSON type object"));
  EXPECT_THAT(message(R"({"tensors":[1]})"), HasSubstr("a tensor that is not a JSON object"));
  EXPECT_THAT(message(R"({"tensors":[[{}]]})"), HasSubstr("a tensor that is not a JSON object"));
  EXPECT_THAT(message(R"({"tensors":[],"metadata":{"a":1}})"), HasSubstr("is not a text"));
  EXPECT_THAT(message(std::string(100000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(message(R"({"tensors":[],"tensors":[]})"),
              HasSubstr("the key 'tensors' occurs twice"));
  EXPECT_THAT(message(R"({"tensors":[{"shape":[],"name":"a","shape":[1]}]})"),
              HasSubstr("the key 'shape' occurs twice"));
}

TEST(Index, FieldsOfTensorsAreChecked) {
  EXPECT_EQ(parsed(kPlain).tensors.size(), 1u);
  EXPECT_EQ(message_of(std::string(kPlain) + "," + kPlain), "tensor 'b': occurs twice");
  EXPECT_EQ(message_of("{}"), "index: 'name' is missing in the index");
  EXPECT_EQ(message_of(R"({"name":"%41","dtype":"F32","shape":[]})"),
            "index: '%41' is not a valid tensor name");
  EXPECT_EQ(message_of(R"({"name":"b","dtype":"F33","shape":[]})"),
            "tensor 'b': dtype 'F33', which is not an element type");
  EXPECT_EQ(message_of(R"({"name":"b","dtype":"F4","shape":[]})"),
            "tensor 'b': dtype 'F4', which is not an element type");
  EXPECT_EQ(message_of(R"({"name":"b","dtype":"F32"})"),
            "tensor 'b': 'shape' is missing in the index");
  for (const char* shape : {"[-1]", "[1.0]", "[\"1\"]", "[[]]", "[18446744073709551616]"}) {
    EXPECT_THAT(message_of(R"({"name":"b","dtype":"F32","shape":)" + std::string(shape) + "}"),
                HasSubstr("not a list of counts"));
  }
  EXPECT_THAT(message_of(R"({"name":"b","dtype":"F32","shape":[8589934592,8589934592]})"),
              HasSubstr("overflows 63 bits"));
  const std::string many = R"({"name":"b","dtype":"F32","shape":[1)";
  std::string ones;
  for (int i = 0; i < 32; ++i) ones += ",1";
  EXPECT_EQ(error_of([&] { (void)parsed(many + ones + "]}"); }).code(), ErrorCode::kUnsupported);
  EXPECT_THAT(message_of(R"({"dtype":"F32","shape":[],"name":")" + std::string(65537, 'n') + "\"}"),
              HasSubstr("longer than 64 KiB"));
}

TEST(Index, GivesKindAndAxesBack) {
  IndexWriter writer({}, kArchive);
  Record record = test::pq_record("w");
  record.info.layout = {Kind::kLinear, {1, 0}};
  writer.add(record);
  writer.add_plain({"b", DType::kU8, {2, 3, 4}, {}, {Kind::kUnknown, {2, 1, 0}}});
  writer.add_plain({"c", DType::kU8, {}, {}, {Kind::kOther}});
  EXPECT_THAT(writer.text(),
              HasSubstr(R"({"axes":[1,0],"codec":"pq","dtype":"F32","kind":"linear",)"));
  EXPECT_THAT(writer.text(), HasSubstr(R"({"axes":[2,1,0],"dtype":"U8","name":"b",)"));
  EXPECT_THAT(writer.text(), HasSubstr(R"({"dtype":"U8","kind":"other","name":"c",)"));
  const Index index = parse_index(writer.text(), kArchive);
  EXPECT_EQ(index.tensors.at(0).info, record.info);
  EXPECT_EQ(index.tensors.at(1).info.layout, (Layout{Kind::kUnknown, {2, 1, 0}}));
  EXPECT_EQ(index.tensors.at(2).info.layout, (Layout{Kind::kOther}));
}

TEST(Index, AxesThatAreNoPermutationAreRefused) {
  for (const char* axes : {"[]", "[0,1]", "[1,0]"}) {
    EXPECT_NO_THROW(parsed(compressed(R"(,"axes":)" + std::string(axes)))) << axes;
  }
  for (const char* axes : {"[0]", "[0,0]", "[0,2]", "[0,1,2]", "[18446744073709551615,0]"}) {
    EXPECT_THAT(message_of(compressed(R"(,"axes":)" + std::string(axes))),
                HasSubstr("expected each of its dimensions once"));
  }
  for (const char* axes : {"[-1,0]", "[1.0,0]", "[\"1\",0]", "[[1],0]"}) {
    EXPECT_THAT(message_of(compressed(R"(,"axes":)" + std::string(axes))),
                HasSubstr("not a list of counts"));
  }
  EXPECT_THAT(message_of(compressed(R"(,"axes":1)")), HasSubstr("of the JSON type number"));
  EXPECT_THAT(message_of(compressed(R"(,"kind":1)")), HasSubstr("of the JSON type number"));
  EXPECT_THAT(message_of(R"({"axes":[1,0],"dtype":"F32","name":"b","shape":[2]})"),
              HasSubstr("axes [1, 0] of a tensor of rank 1"));
}

TEST(Index, KindsOfLaterVersionsAreUnknown) {
  EXPECT_EQ(parsed(compressed(R"(,"kind":"hyper")")).tensors[0].info.layout, Layout());
}

TEST(Index, PartsHaveNeitherKindNorAxes) {
  const std::string part =
      R"({"codec":"pq","dtype":"F32","name":"p","shape":[2,3],"axes":[1,0],"kind":"conv"})";
  EXPECT_EQ(parsed(compressed(",\"parts\":[" + part + "]")).tensors[0].parts[0].info.layout,
            Layout());
}

TEST(Index, FieldsOfCodecsAreChecked) {
  EXPECT_EQ(parsed(compressed("")).tensors.at(0).codec, "pq");
  EXPECT_THAT(message_of(compressed("", R"("plain")")), HasSubstr("codec 'plain'"));
  EXPECT_THAT(message_of(compressed("", R"("P Q")")), HasSubstr("codec 'P Q'"));
  EXPECT_THAT(message_of(compressed("", "1")), HasSubstr("'codec' is of the JSON type number"));
  EXPECT_THAT(message_of(compressed(R"(,"features":["a,b"])")), HasSubstr("feature 'a,b'"));
  EXPECT_THAT(message_of(compressed(R"(,"features":[1])")), HasSubstr("a feature is not a text"));
  EXPECT_THAT(message_of(compressed(R"(,"options":")" + std::string(32769, 'o') + "\"")),
              HasSubstr("longer than 32 KiB"));
  EXPECT_THAT(message_of(compressed(R"(,"options":"a\u0000")")), HasSubstr("zero byte"));
  EXPECT_THAT(message_of(compressed(R"(,"sections":[["a","U8"]])")),
              HasSubstr("not a name, a dtype and a shape"));
  EXPECT_THAT(message_of(compressed(R"(,"sections":[["A","U8",[1]]])")),
              HasSubstr("section 'A': not a valid section name"));
  EXPECT_THAT(message_of(compressed(R"(,"sections":[["b","U8",[1]],["a","U8",[1]]])")),
              HasSubstr("not in the order of their names"));
  EXPECT_THAT(message_of(compressed(R"(,"sections":[["a","U8",[1]],["a","U8",[1]]])")),
              HasSubstr("section 'a': the name is given twice"));
  std::string sections;
  for (int i = 100; i < 165; ++i) {
    sections += (i == 100 ? "[\"s" : ",[\"s") + std::to_string(i) + "\",\"U8\",[]]";
  }
  EXPECT_THAT(message_of(compressed(",\"sections\":[" + sections + "]")),
              HasSubstr("more than 64 sections"));
}

TEST(Index, PartsAreCheckedAsTensorsAre) {
  const auto part = [](const std::string& more) {
    return R"({"codec":"pq","dtype":"F32","name":"p","shape":[1])" + more + "}";
  };
  EXPECT_EQ(parsed(compressed(",\"parts\":[" + part("") + "]")).tensors[0].parts.size(), 1u);
  EXPECT_THAT(message_of(compressed(",\"parts\":[1]")), HasSubstr("not a JSON object"));
  EXPECT_THAT(message_of(compressed(R"(,"parts":[{"name":"p","dtype":"F32","shape":[1]}])")),
              HasSubstr("section 'p': 'codec' is missing"));
  EXPECT_THAT(message_of(compressed(R"(,"sections":[["p","U8",[1]]],"parts":[)" + part("") + "]")),
              HasSubstr("section 'p': the name is given twice"));
  std::string nested = part("");
  for (int depth = 3; depth <= 4; ++depth) nested = part(",\"parts\":[" + nested + "]");
  EXPECT_EQ(parsed(compressed(",\"parts\":[" + nested + "]")).tensors.size(), 1u);
  nested = part(",\"parts\":[" + nested + "]");
  EXPECT_THAT(message_of(compressed(",\"parts\":[" + nested + "]")),
              HasSubstr("beyond a depth of 4"));
}

}  // namespace
}  // namespace pqw::archive
