#include "pqw/archive/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/archive/samples.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;
using test::counting_bytes;
using test::error_of;
using test::pq_record;
using ::testing::HasSubstr;

void expect_equal(const Record& a, const Record& b) {
  EXPECT_EQ(a.info, b.info);
  EXPECT_EQ(a.codec, b.codec);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.options, b.options);
  ASSERT_EQ(a.sections.size(), b.sections.size());
  for (std::size_t i = 0; i < a.sections.size(); ++i) {
    EXPECT_EQ(a.sections[i].name, b.sections[i].name);
    EXPECT_EQ(a.sections[i].dtype, b.sections[i].dtype);
    EXPECT_EQ(a.sections[i].shape, b.sections[i].shape);
    EXPECT_EQ(a.sections[i].bytes, b.sections[i].bytes);
  }
  ASSERT_EQ(a.parts.size(), b.parts.size());
  for (std::size_t i = 0; i < a.parts.size(); ++i) expect_equal(a.parts[i], b.parts[i]);
}

class Archive : public ::testing::Test {
 protected:
  // Writes one plain tensor, reads it back.
  void expect_round_trip(const TensorInfo& info) {
    const auto bytes = counting_bytes(byte_count(info));
    ArchiveWriter writer(path_, {.overwrite = true});
    writer.add_plain(info, bytes);
    writer.commit();
    const ArchiveReader reader(path_);
    ASSERT_EQ(reader.entries().size(), 1u);
    EXPECT_EQ(reader.entries()[0].info, info);
    EXPECT_EQ(reader.entries()[0].codec, "plain");
    EXPECT_EQ(reader.entries()[0].data_bytes, bytes.size());
    EXPECT_EQ(reader.read_plain(0), bytes);
    EXPECT_NO_THROW(verify_digest(path_));
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
};

TEST_F(Archive, WithoutTensorsIsReadable) {
  ArchiveWriter(path_, {}).commit();
  const ArchiveReader reader(path_);
  EXPECT_TRUE(reader.entries().empty());
  EXPECT_TRUE(reader.metadata().empty());
  EXPECT_EQ(reader.path(), path_);
}

TEST_F(Archive, GivesEveryElementTypeBack) {
  for (const DType dtype : {DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kF8E4M3,
                            DType::kF8E5M2, DType::kI8, DType::kI16, DType::kI32, DType::kI64,
                            DType::kU8, DType::kU16, DType::kU32, DType::kU64, DType::kBool}) {
    SCOPED_TRACE(std::string(to_string(dtype)));
    expect_round_trip({"w", dtype, {5, 3}});
    expect_round_trip({"w", dtype, {5000, 3}});
  }
}

TEST_F(Archive, GivesEveryShapeBack) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{3, 0, 2}, Shape{1024}, Shape{1025},
                             Shape{7, 1, 1, 300}, Shape(32, 1), Shape{std::size_t{1} << 40, 0}}) {
    SCOPED_TRACE(to_string(shape));
    expect_round_trip({"w", DType::kF32, shape});
  }
}

TEST_F(Archive, GivesEveryNameBack) {
  using namespace std::string_literals;
  for (const std::string& name : {""s, "."s, ".."s, "/"s, "a/b"s, "a//b/"s, "%"s, "%2F"s, "a\nb"s,
                                  "\0"s, "a\0b"s, "\x7f"s, "Gewicht-\xc3\xa4"s, "\xff\xfe"s, " "s,
                                  "a.b.c"s, std::string(65536, 'n'), std::string(65536, '/')}) {
    expect_round_trip({name, DType::kF32, {2}});
  }
}

TEST_F(Archive, GivesRecordsBack) {
  Record scalar = pq_record("of a scalar");
  scalar.info.shape = {};
  scalar.sections = {test::section("zero", DType::kU8, {0})};
  scalar.options = "";
  Record large = pq_record("large/one");
  large.info = {"large/one", DType::kBF16, {300, 7, 3, 3}};
  large.sections = {test::section("codebooks", DType::kF32, {5, 256, 9}),
                    test::section("codes", DType::kU8, {70000})};
  Record bare{{"bare", DType::kF64, {2}}, "int8", {}, std::string(32768, 'o'), {}};
  const std::vector<Record> records = {large, pq_record("small"), scalar, bare};
  ArchiveWriter writer(path_, {});
  for (const Record& record : records) writer.add(record);
  writer.commit();
  const ArchiveReader reader(path_);
  ASSERT_EQ(reader.entries().size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(reader.entries()[i].info, records[i].info);
    EXPECT_EQ(reader.entries()[i].codec, records[i].codec);
    EXPECT_EQ(reader.entries()[i].options, records[i].options);
    expect_equal(reader.read(i), records[i]);
  }
  // 4 * 3 halves of 2 bytes and 2 bytes of codes
  EXPECT_EQ(reader.entries()[1].data_bytes, 26u);
}

TEST_F(Archive, GivesPartsOfPartsBack) {
  Record record = pq_record("w");
  record.parts = {pq_record("inner"), pq_record("outer")};
  record.parts[0].info.shape = {7, 0, 2};
  record.parts[0].features = {};
  record.parts[1].parts = {pq_record("deep")};
  record.parts[1].parts[0].options = "";
  record.parts[1].parts[0].sections[0].bytes[3] ^= std::byte{1};
  ArchiveWriter writer(path_, {});
  writer.add(record);
  writer.add_plain({"b", DType::kU8, {2}}, counting_bytes(2));
  writer.commit();
  const ArchiveReader reader(path_);
  expect_equal(reader.read(0), record);
  EXPECT_EQ(reader.read_plain(1), counting_bytes(2));
  EXPECT_EQ(reader.entries()[0].data_bytes, 4u * (24 + 2));
}

TEST_F(Archive, KeepsTheOrderOfWriting) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < 400; ++i) names.push_back(std::to_string(i * 7919 % 1009));
  ArchiveWriter writer(path_, {});
  for (const std::string& name : names) {
    writer.add_plain({name, DType::kU8, {1}}, counting_bytes(1));
  }
  writer.commit();
  const ArchiveReader reader(path_);
  std::vector<std::string> found;
  for (const ArchiveEntry& entry : reader.entries()) found.push_back(entry.info.name);
  EXPECT_EQ(found, names);
}

TEST_F(Archive, CarriesMetadata) {
  const std::map<std::string, std::string> metadata = {{"format", "pt"},
                                                       {"", "empty key"},
                                                       {"empty value", ""},
                                                       {"text", "\"\\\n\xc3\xa4"},
                                                       {"large", std::string(100000, 'm')}};
  ArchiveWriter(path_, {.metadata = metadata}).commit();
  EXPECT_EQ(ArchiveReader(path_).metadata(), metadata);
}

TEST_F(Archive, RefusesMetadataThatIsNotUtf8) {
  const Error error = error_of([&] { ArchiveWriter(path_, {.metadata = {{"a", "\xff"}}}); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
}

TEST_F(Archive, EqualCallsGiveEqualBytes) {
  for (const char* name : {"a", "b"}) {
    ArchiveWriter writer(dir_ / name, {.metadata = {{"k", "v"}}});
    writer.add(pq_record("one"));
    writer.add_plain({"two", DType::kF32, {3000}}, counting_bytes(12000));
    writer.add_plain({"three", DType::kBool, {3}}, counting_bytes(3));
    writer.commit();
  }
  EXPECT_TRUE(content(dir_ / "a") == content(dir_ / "b"));
}

TEST_F(Archive, HoldsNoTimes) {
  ArchiveWriter writer(path_, {.metadata = {{"k", "v"}}});
  writer.add(pq_record("one"));
  writer.add_plain({"two", DType::kF32, {3000}}, counting_bytes(12000));
  writer.commit();
  // Object headers of version 2 start with "OHDR", 2, flags; bit 5 says that times are stored.
  const std::string bytes = content(path_);
  std::size_t n_headers = 0;
  for (std::size_t at = bytes.find("OHDR\2"); at != std::string::npos;
       at = bytes.find("OHDR\2", at + 1)) {
    ++n_headers;
    EXPECT_EQ(bytes[at + 5] & 0x20, 0) << "header at byte " << at;
  }
  EXPECT_GE(n_headers, 4u) << "root, data, index, manifest";
}

TEST_F(Archive, HoldsNoTraceOfItsPath) {
  ArchiveWriter writer(path_, {});
  writer.add(pq_record("one"));
  writer.commit();
  EXPECT_EQ(content(path_).find("a.pqw"), std::string::npos);
}

TEST_F(Archive, CommitReturnsTheSizeOfTheFile) {
  ArchiveWriter writer(path_, {});
  writer.add(pq_record("one"));
  const std::uint64_t bytes = writer.commit();
  EXPECT_EQ(bytes, content(path_).size());
  EXPECT_EQ(ArchiveReader(path_).file_bytes(), bytes);
}

TEST_F(Archive, WithoutCommitLeavesNothing) {
  {
    ArchiveWriter writer(path_, {});
    writer.add(pq_record("one"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(Archive, ReplacesOnlyWhenAsked) {
  test::set_content(path_, "mine");
  EXPECT_EQ(error_of([&] { ArchiveWriter(path_, {}); }).code(), ErrorCode::kExists);
  EXPECT_EQ(content(path_), "mine");
  ArchiveWriter(path_, {.overwrite = true}).commit();
  EXPECT_TRUE(is_archive(path_));
}

TEST_F(Archive, RefusesANameTwice) {
  ArchiveWriter writer(path_, {});
  writer.add(pq_record("w"));
  const Error error = error_of([&] {
    writer.add_plain({"w", DType::kU8, {1}}, counting_bytes(1));
  });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(std::string(error.what()),
            path_ + ": tensor 'w': a tensor of that name was added before");
}

TEST_F(Archive, RefusesBytesThatDoNotFitTheShape) {
  ArchiveWriter writer(path_, {});
  const Error error = error_of([&] {
    writer.add_plain({"w", DType::kF32, {4, 8}}, counting_bytes(96));
  });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.what(), HasSubstr("96 bytes given, shape [4, 8] of F32 needs 128"));
}

TEST_F(Archive, RefusesShapesThatItCannotHold) {
  ArchiveWriter writer(path_, {});
  Record record = pq_record("w");
  record.info.shape = Shape(33, 1);
  EXPECT_EQ(error_of([&] { writer.add(record); }).code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] {
              writer.add_plain({"x", DType::kU8, Shape(33, 1)}, counting_bytes(1));
            }).code(),
            ErrorCode::kUnsupported);
  constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max() / 2;
  EXPECT_EQ(error_of([&] {
              writer.add_plain({"y", DType::kF32, {kHuge, 4}}, {});
            }).code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(Archive, RefusesTypesThatItDoesNotHave) {
  ArchiveWriter writer(path_, {});
  for (const TensorInfo& info : {TensorInfo{"x", DType::kF4, {2}},
                                 {"y", DType::kC64, {1}},
                                 {"z", DType::kUnknown, {2}, UnknownType{"I4", 1}}}) {
    Record record = pq_record(info.name);
    record.info = info;
    for (const Error& error :
         {error_of([&] { writer.add_plain(info, counting_bytes(byte_count(info))); }),
          error_of([&] { writer.add(record); })}) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(error.what(), HasSubstr("which archives do not have"));
    }
  }
  Record record = pq_record("w");
  record.sections[1].dtype = DType::kF6E2M3;
  EXPECT_THAT(error_of([&] { writer.add(record); }).what(),
              HasSubstr("section 'codes': a type that archives do not have"));
}

TEST_F(Archive, FindsTensorsByName) {
  ArchiveWriter writer(path_, {});
  writer.add(pq_record("b"));
  writer.add_plain({"a/c", DType::kU8, {1}}, counting_bytes(1));
  writer.commit();
  const ArchiveReader reader(path_);
  EXPECT_EQ(reader.find("b"), 0u);
  EXPECT_EQ(reader.find("a/c"), 1u);
  EXPECT_EQ(reader.find("a"), std::nullopt);
}

TEST_F(Archive, RefusesRecordsOutsideTheFormat) {
  const auto code_of = [&](const std::function<void(Record&)>& spoil) {
    Record record = pq_record("w");
    spoil(record);
    ArchiveWriter writer(path_, {});
    return error_of([&] { writer.add(record); }).code();
  };
  const auto invalid = ErrorCode::kInvalidArgument;
  EXPECT_EQ(code_of([](Record& r) { r.codec = ""; }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.codec = "plain"; }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.codec = "p/q"; }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.features = {"a,b"}; }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.features.assign(33, "f"); }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.options.assign(32769, 'o'); }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.options = std::string(1, '\0'); }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.info.name.assign(65537, 'n'); }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].name = "../codes"; }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].name = "codes"; }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.sections[0].bytes.pop_back(); }), invalid);
  EXPECT_EQ(code_of([](Record& r) { r.sections.resize(65, r.sections[0]); }), invalid);
}

TEST_F(Archive, CarriesAnyFeatures) {
  Record record = pq_record("w");
  record.features = {"row_scales", "transposed"};
  ArchiveWriter writer(path_, {});
  writer.add(record);
  writer.add(pq_record("x"));
  writer.commit();
  const ArchiveReader reader(path_);
  EXPECT_EQ(reader.entries()[0].features, record.features);
  expect_equal(reader.read(0), record);
  expect_equal(reader.read(1), pq_record("x"));
}

TEST_F(Archive, IsRecognisedByItsContent) {
  ArchiveWriter(path_, {}).commit();
  EXPECT_TRUE(is_archive(path_));
  test::set_content(dir_ / "other", "pqw archiv");
  EXPECT_FALSE(is_archive(dir_ / "other"));
  test::set_content(dir_ / "empty", "");
  EXPECT_FALSE(is_archive(dir_ / "empty"));
  EXPECT_EQ(error_of([&] { (void)is_archive(dir_ / "none"); }).code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pqw
