// The .npy reader and writer on files that are as they should be.
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::counting;
using test::little_endian;
using test::read_all;
using test::Tensor;
using testing::ElementsAre;

const std::string kData = PQW_FORMATS_DATA;

// A version 1.0 file around a literal.
std::string file_of(const std::string& literal, const std::string& data) {
  return std::string("\x93NUMPY\1\0", 8) +
         little_endian({static_cast<std::uint16_t>(literal.size())}) + literal + data;
}

TEST(Npy, ReadsWhatNumpyWrites) {
  EXPECT_THAT(read_all(kData + "/f4_2x3.npy"),
              ElementsAre(Tensor{{"arr_0", DType::kF32, {2, 3}},
                                 little_endian<float>({0, 1, 2, 3, 4, 5})}));
}

TEST(Npy, NamesATypeThatNoTensorHas) {
  const test::TempDir dir;
  const auto skipped = [&](const std::string& descr) {
    test::set_content(dir / "f",
                      file_of("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,)}",
                              std::string(16, '\0')));
    const auto reader = open_weights(dir / "f");
    EXPECT_TRUE(reader->tensors().empty());
    return test::skipped_in(*reader);
  };
  EXPECT_THAT(skipped("'<U4'"), ElementsAre("'arr_0' holds unicode text (dtype '<U4')"));
  EXPECT_THAT(skipped("'<m8[s]'"),
              ElementsAre("'arr_0' holds dates or time spans (dtype '<m8[s]')"));
  EXPECT_THAT(skipped("'<c16'"), ElementsAre("LOST 'arr_0' holds complex numbers (dtype '<c16')"));
  EXPECT_THAT(skipped("'|O'"), ElementsAre("LOST 'arr_0' holds Python objects (dtype '|O')"));
  EXPECT_THAT(skipped("[('a', '<f8'), ('b]', '<f8', (1,))]"),
              ElementsAre("LOST 'arr_0' holds structures"));
  EXPECT_THAT(skipped("('<f8', (2,))"), ElementsAre("LOST 'arr_0' holds structures"));
}

TEST(Npy, ReadsVersions2And3) {
  EXPECT_THAT(read_all(kData + "/version2_u1_3.npy"),
              ElementsAre(Tensor{{"arr_0", DType::kU8, {3}}, "\1\2\3"}));
  EXPECT_THAT(read_all(kData + "/version3_bool_scalar.npy"),
              ElementsAre(Tensor{{"arr_0", DType::kBool, {}}, "\1"}));
}

TEST(Npy, ConvertsFortranOrderAndBigEndian) {
  EXPECT_THAT(read_all(kData + "/fortran_big_endian_i2_2x3x4.npy"),
              ElementsAre(Tensor{
                  {"arr_0", DType::kI16, {2, 3, 4}},
                  little_endian<std::int16_t>({0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                               12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23})}));
}

TEST(Npy, FortranOrderOfAVectorChangesNothing) {
  const test::TempDir dir;
  test::set_content(dir / "f",
                    file_of("{'descr': '|i1', 'fortran_order': True, 'shape': (1, 3)}", "abc"));
  EXPECT_THAT(read_all(dir / "f"), ElementsAre(Tensor{{"arr_0", DType::kI8, {1, 3}}, "abc"}));
}

TEST(Npy, FortranOrderOfNoElementsIsEmpty) {
  const test::TempDir dir;
  test::set_content(dir / "f",
                    file_of("{'descr': '>f8', 'fortran_order': True, 'shape': (2, 0, 3)}", ""));
  EXPECT_THAT(read_all(dir / "f"), ElementsAre(Tensor{{"arr_0", DType::kF64, {2, 0, 3}}, ""}));
}

TEST(Npy, TheLiteralMayBeSpacedOrderedAndQuotedDifferently) {
  const test::TempDir dir;
  test::set_content(dir / "f", file_of("{ \"shape\":(2L,),'descr' :'<u2' ,'fortran_order':False }",
                                       little_endian<std::uint16_t>({1, 2})));
  EXPECT_THAT(read_all(dir / "f"), ElementsAre(Tensor{{"arr_0", DType::kU16, {2}},
                                                      little_endian<std::uint16_t>({1, 2})}));
}

TEST(Npy, RawPairsOfBytesAreBf16) {
  const test::TempDir dir;
  for (const char* descr : {"<V2", "|V2"}) {
    test::set_content(dir / "f", file_of("{'descr': '" + std::string(descr) +
                                             "', 'fortran_order': False, 'shape': (1,), }",
                                         "\x80\x3f"));
    EXPECT_THAT(read_all(dir / "f"), ElementsAre(Tensor{{"arr_0", DType::kBF16, {1}}, "\x80\x3f"}));
  }
}

TEST(Npy, WritesTheBytesThatNumpyWrites) {
  const test::TempDir dir;
  test::write_all(dir / "f.npy",
                  {{{"any name", DType::kF32, {2, 3}}, little_endian<float>({0, 1, 2, 3, 4, 5})}});
  EXPECT_EQ(test::content(dir / "f.npy"), test::content(kData + "/f4_2x3.npy"));
}

TEST(Npy, WritesHeadersOfMultiplesOf64Bytes) {
  const test::TempDir dir;
  int n = 0;
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{1, 2, 3, 1, 1, 2}, Shape(32, 1)}) {
    const std::string path = dir / (std::to_string(n++) + ".npy");
    test::write_all(path, {counting("arr_0", DType::kI64, shape)});
    EXPECT_EQ(std::filesystem::file_size(path) % 64, element_count(shape) * 8 % 64);
    EXPECT_THAT(read_all(path), ElementsAre(counting("arr_0", DType::kI64, shape)));
  }
}

TEST(Npy, HoldsExactlyOneTensor) {
  const test::TempDir dir;
  for (const std::size_t n : {0u, 2u}) {
    std::vector<Tensor> tensors(n, counting("w", DType::kU8, {1}));
    for (std::size_t i = 0; i < n; ++i) tensors[i].info.name += std::to_string(i);
    try {
      test::write_all(dir / "f.npy", tensors);
      FAIL() << n << " tensors were written";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_THAT(error.what(), testing::HasSubstr("holds exactly one; use .npz or .safetensors"));
    }
  }
}

TEST(Npy, WhatNumpyDoesNotHaveCannotBeWritten) {
  const test::TempDir dir;
  for (const Tensor& tensor :
       {counting("w", DType::kF8E4M3, {1}), counting("w", DType::kF8E5M2, {1}),
        counting("w", DType::kU8, Shape(33, 1))}) {
    try {
      test::write_all(dir / "f.npy", {tensor});
      FAIL() << "was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'w': "));
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace pqw
