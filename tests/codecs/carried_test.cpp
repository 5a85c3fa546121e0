// Records of tensors of types that archives do not have, and of aliases.
#include "codecs/carried.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codecs/alias.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/error.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using testing::HasSubstr;

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

const TensorInfo kPacked{"fc", DType::kF4, {3, 2}};
const TensorInfo kUnknown{"fc", DType::kUnknown, {5}, UnknownType{"I4", 3}};

TEST(Carried, AnArchiveSaysU8AndTheTypeInTheOptions) {
  const Description packed = describe_for_archive(kPacked);
  EXPECT_EQ(packed.info, (TensorInfo{"fc", DType::kU8, {3, 2}}));
  EXPECT_EQ(packed.options, "dtype=F4");
  EXPECT_EQ(describe_for_archive(kUnknown).options, "dtype=I4,bytes=3");
  const TensorInfo basic{"b", DType::kI64, {2}};
  EXPECT_EQ(describe_for_archive(basic).info, basic);
  EXPECT_EQ(describe_for_archive(basic).options, "");
}

TEST(Carried, DescriptionsRoundTrip) {
  std::vector<TensorInfo> infos{kPacked, kUnknown, {"b", DType::kBool, {}}};
  for (const char* name :
       {"F8_E8M0", "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"}) {
    infos.push_back({name, dtype_from_string(name).value(), {4, 2}});
  }
  for (const TensorInfo& info : infos) EXPECT_EQ(info_from(describe_for_archive(info)), info);
}

// Written by a version that did not know the type.
TEST(Carried, ATypeThatBecameKnownIsKnown) {
  EXPECT_EQ(info_from({{"fc", DType::kU8, {3, 2}}, "dtype=F4,bytes=3"}), kPacked);
}

TEST(Carried, OptionsThatSayNoTypeAreRefused) {
  for (const char* options :
       {"dtype", "dtype=", "dtype=F4,bytes=4", "dtype=F4,", "dtype=F32", "dtype=I4",
        "dtype=I4,bytes=", "dtype=I4,bytes=03", "dtype=I4,bytes=-3", "dtype=I4,bytes=3,",
        "dtype=I4,bytes=9223372036854775808", "dtype=I 4,bytes=3", "seed=0"}) {
    const Error error = test::error_of([&] { info_from({{"fc", DType::kU8, {3, 2}}, options}); });
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << options;
    EXPECT_THAT(error.what(), HasSubstr("tensor 'fc': options '"));
  }
  EXPECT_EQ(test::error_of([] {
              info_from({{"fc", DType::kI8, {3, 2}}, "dtype=F4"});
            }).code(),
            ErrorCode::kCorrupt);
  EXPECT_EQ(test::error_of([] {
              info_from({{"fc", DType::kU8, {3}}, "dtype=F4"});
            }).code(),
            ErrorCode::kCorrupt)
      << "half a byte";
}

TEST(Carried, RecordsGiveTheBytesBack) {
  for (const TensorInfo& info : {kPacked, kUnknown}) {
    const Record record = carried_record(info, bytes_of("abc"));
    EXPECT_EQ(record.codec, "carried");
    EXPECT_EQ(info_from({record.info, record.options}), info);
    const auto bytes = carried_bytes(record);
    EXPECT_EQ(std::vector(bytes.begin(), bytes.end()), bytes_of("abc"));
  }
}

TEST(Carried, RecordsThatDoNotFitAreRefused) {
  const Record good = carried_record(kPacked, bytes_of("abc"));
  const auto code_of = [&](const auto& spoil) {
    Record record = good;
    spoil(record);
    return test::error_of([&] { carried_bytes(record); }).code();
  };
  EXPECT_EQ(code_of([](Record& r) { r.sections.clear(); }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].dtype = DType::kI8; }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].shape = {3, 1}; }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) {
              r.sections[0].shape = {4};
              r.sections[0].bytes.resize(4);
            }),
            ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.options = ""; }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.features = {"packed"}; }), ErrorCode::kUnsupported);
}

TEST(Alias, RecordsGiveTheNameBack) {
  using namespace std::string_literals;
  for (const std::string& name : {"embed.weight"s, ""s, "a\0b\xff"s}) {
    const Record record = alias_record({"head", DType::kF32, {4, 2}}, name);
    EXPECT_EQ(record.codec, "alias");
    EXPECT_EQ(record.info, (TensorInfo{"head", DType::kF32, {4, 2}}));
    EXPECT_EQ(record.options, "");
    ASSERT_EQ(record.sections.size(), 1u);
    EXPECT_EQ(record.sections[0].name, "tensor");
    EXPECT_EQ(alias_target(record), name);
  }
  EXPECT_EQ(alias_record(kPacked, "x").options, "dtype=F4");
}

TEST(Alias, RecordsThatHoldNoNameAreRefused) {
  const Record good = alias_record({"head", DType::kF32, {4, 2}}, "x");
  const auto code_of = [&](const auto& spoil) {
    Record record = good;
    spoil(record);
    const Error error = test::error_of([&] { alias_target(record); });
    EXPECT_THAT(error.what(), HasSubstr("tensor 'head'"));
    return error.code();
  };
  EXPECT_EQ(code_of([](Record& r) { r.sections.clear(); }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].dtype = DType::kI8; }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].shape = {1, 1}; }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].bytes.clear(); }), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of([](Record& r) { r.features = {"partial"}; }), ErrorCode::kUnsupported);
}

// What readers of before say of them, and of parts that claim to be such.
TEST(Alias, IsNoWeightByItself) {
  EXPECT_EQ(test::error_of([] { weight_from_record(alias_record(kPacked, "x")); }).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(
      test::error_of([] { weight_from_record(carried_record(kPacked, bytes_of("abc"))); }).code(),
      ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace pqw
