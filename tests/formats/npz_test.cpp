// The .npz reader and writer on files that are as they should be.
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"
#include "tests/formats/zip_building.h"

namespace pqw {
namespace {

using test::counting;
using test::little_endian;
using test::npy_of;
using test::read_all;
using test::skipped_in;
using test::Tensor;
using test::zip_of;
using testing::ElementsAre;

const std::string kData = PQW_FORMATS_DATA;

TEST(Npz, ReadsWhatSavezWrites) {
  EXPECT_THAT(
      read_all(kData + "/savez.npz"),
      ElementsAre(
          Tensor{{"layer/weight", DType::kF32, {2, 3}}, little_endian<float>({0, 1, 2, 3, 4, 5})},
          Tensor{{"steps", DType::kI64, {}}, little_endian<std::int64_t>({7})},
          Tensor{{"none", DType::kF64, {0, 4}}, ""},
          Tensor{{"h", DType::kF16, {2}}, little_endian<std::uint16_t>({0x3c00, 0xc000})}));
}

// 100,000 zeros deflate to a thousandth of their size, which is not a zip bomb.
TEST(Npz, ReadsWhatSavezCompressedWrites) {
  EXPECT_THAT(
      read_all(kData + "/savez_compressed.npz"),
      ElementsAre(Tensor{{"zeros", DType::kF32, {100000}}, std::string(400000, '\0')},
                  Tensor{{"w", DType::kF32, {2, 3}}, little_endian<float>({0, 1, 2, 3, 4, 5})}));
}

TEST(Npz, SkipsTextAndDates) {
  const test::TempDir dir;
  const std::string text("a\0\0\0", 4), date(8, '\0');
  test::set_content(dir / "f", zip_of({{"names.npy", npy_of("<U1", "(1,)", text)},
                                       {"w.npy", npy_of("|u1", "(1,)", "x")},
                                       {"bytes.npy", npy_of("|S4", "(1,)", text)},
                                       {"when.npy", npy_of("<M8[ns]", "(1,)", date)}}));
  const auto reader = open_weights(dir / "f");
  EXPECT_THAT(skipped_in(*reader),
              ElementsAre("'names' holds unicode text (dtype '<U1')",
                          "'bytes' holds byte strings (dtype '|S4')",
                          "'when' holds dates or time spans (dtype '<M8[ns]')"));
  EXPECT_EQ(read_all(dir / "f"), (std::vector{Tensor{{"w", DType::kU8, {1}}, "x"}}));
}

TEST(Npz, NamesMembersOfNumbersThatNoTensorHas) {
  const test::TempDir dir;
  const std::string bytes(16, '\0');
  test::set_content(
      dir / "f",
      zip_of({{"c.npy", npy_of("<c16", "(1,)", bytes)},
              {"o.npy", npy_of("|O", "(1,)", "\x80\2N.")},
              {"s.npy", test::npy_literal("{'descr': [('x[', '<f4'), ('y', [('z', '<i4')])], "
                                          "'fortran_order': False, 'shape': (2,), }\n",
                                          bytes)},
              {"w.npy", npy_of("|u1", "(1,)", "x")},
              {"g.npy", npy_of("<f16", "(1,)", bytes)},
              {"v.npy", npy_of("|V1", "(16,)", bytes)},
              {"b.npy", npy_of(">V2", "(8,)", bytes)}}));
  const auto reader = open_weights(dir / "f");
  EXPECT_THAT(skipped_in(*reader),
              ElementsAre("LOST 'c' holds complex numbers (dtype '<c16')",
                          "LOST 'o' holds Python objects (dtype '|O')", "LOST 's' holds structures",
                          "LOST 'g' holds numbers of a size that no tensor type has (dtype '<f16')",
                          "LOST 'v' holds raw bytes (dtype '|V1')",
                          "LOST 'b' holds raw bytes (dtype '>V2')"));
  EXPECT_EQ(read_all(dir / "f"), (std::vector{Tensor{{"w", DType::kU8, {1}}, "x"}}));
}

TEST(Npz, TextAloneIsNoError) {
  const test::TempDir dir;
  test::set_content(dir / "f", zip_of({{"names.npy", npy_of("<U1", "(0,)", "")}}));
  EXPECT_TRUE(open_weights(dir / "f")->tensors().empty());
}

TEST(Npz, NoTensorsMakeTheArchiveThatNumpyMakes) {
  const test::TempDir dir;
  test::write_all(dir / "f.npz", {});
  EXPECT_EQ(test::content(dir / "f.npz"), test::content(kData + "/empty.npz"));
  EXPECT_THAT(read_all(dir / "f.npz"), ElementsAre());
}

TEST(Npz, ReadsStoredAndDeflatedMembersInAnyOrderTwice) {
  const test::TempDir dir;
  test::set_content(dir / "f",
                    zip_of({test::deflated_member("a.npy", npy_of(">i2", "(1,)", "\1\2")),
                            {"b.npy", npy_of("|u1", "()", "x")}}));
  const auto reader = open_weights(dir / "f");
  EXPECT_EQ(test::text_of(reader->read(1)), "x");
  EXPECT_EQ(test::text_of(reader->read(0)), "\2\1");
  EXPECT_EQ(test::text_of(reader->read(1)), "x");
}

TEST(Npz, OtherMembersAreSkippedAndListed) {
  const test::TempDir dir;
  test::set_content(dir / "f", zip_of({{"notes\x1b.txt", "hello"},
                                       {"w.npy", npy_of("|u1", "()", "x")},
                                       {"folder/", ""},
                                       {"w.npy.bak", "x"}}));
  const auto reader = open_weights(dir / "f");
  ASSERT_EQ(reader->tensors().size(), 1u);
  EXPECT_EQ(reader->tensors()[0].name, "w");
  EXPECT_EQ(reader->skipped().size(), 3u);
  EXPECT_THAT(skipped_in(*reader), testing::Contains("'folder/' is not a .npy file"));
}

TEST(Npz, NamesOfMembersAreUtf8OrCodePage437) {
  const test::TempDir dir;
  const std::string npy = npy_of("|u1", "()", "x");
  test::set_content(dir / "f", zip_of({{.name = "\xc3\xa4.npy", .stored = npy, .flags = 0x800},
                                       {.name = "\x81.npy", .stored = npy}}));
  const auto reader = open_weights(dir / "f");
  EXPECT_EQ(reader->tensors()[0].name, "ä");
  EXPECT_EQ(reader->tensors()[1].name, "ü");
}

TEST(Npz, NamesComeBackAsTheyWere) {
  const test::TempDir dir;
  std::vector<Tensor> tensors;
  for (const char* name : {"", "a/b.c", "../up", "/root", "w.npy", "back\\slash", "größe", "重み",
                           "new\nline\t", "folder/", " ", "C:", "\x7f"}) {
    tensors.push_back(counting(name, DType::kU8, {2}));
  }
  tensors.push_back(counting(std::string(65531, 'n'), DType::kU8, {1}));
  test::write_all(dir / "f.npz", tensors);
  EXPECT_EQ(read_all(dir / "f.npz"), tensors);
}

TEST(Npz, NamesThatAZipCannotHoldAreRefused) {
  const test::TempDir dir;
  for (const std::string& name : {std::string(65532, 'n'), std::string("nul\0", 4),
                                  std::string("\x1b"), std::string("\xff")}) {
    try {
      create_weights(dir / "f.npz", {{name, DType::kU8, {1}}}, {});
      FAIL() << "was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_THAT(error.what(), testing::HasSubstr("tensor '"));
    }
  }
}

// The first member: a local header with the fixed time, the name, and numpy's own bytes.
TEST(Npz, MembersAreStoredWithoutTimeAndCompression) {
  const test::TempDir dir;
  const std::string npy = test::content(kData + "/f4_2x3.npy");
  test::write_all(dir / "f.npz",
                  {{{"w", DType::kF32, {2, 3}}, little_endian<float>({0, 1, 2, 3, 4, 5})}});
  const std::string archive = test::content(dir / "f.npz");
  EXPECT_EQ(archive.substr(8, 2), test::u16(0));                   // stored
  EXPECT_EQ(archive.substr(10, 4), test::u16(0) + test::u16(33));  // 1980-01-01 00:00
  EXPECT_EQ(archive.substr(14, 4), test::u32(test::crc32(npy)));
  EXPECT_EQ(archive.substr(30, 5), "w.npy");
  EXPECT_EQ(archive.substr(35, npy.size()), npy);
}

TEST(Npz, ChecksumsAreComparedWhenATensorIsRead) {
  const test::TempDir dir;
  std::string archive = zip_of({{"w.npy", npy_of("|u1", "(3,)", "abc")}});
  archive[archive.find("abc") + 1] = 'x';
  test::set_content(dir / "f", archive);
  const auto reader = open_weights(dir / "f");
  try {
    (void)reader->read(0);
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'w': the member is broken: CRC error"));
  }
}

}  // namespace
}  // namespace pqw
