#include "h5/content.h"

#include <hdf5.h>

#include "tests/h5/h5_testing.h"

namespace pqw::h5 {
namespace {

class ContentOf : public H5Test {
 protected:
  // Of a dataset of that type, which is closed.
  Content of(hid_t type) {
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t dataset =
        H5Dcreate2(file_.id(), "d", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(dataset, 0);
    const Content content = content_of(dataset, subject_);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Ldelete(file_.id(), "d", H5P_DEFAULT);
    H5Tclose(type);
    return content;
  }

  void expect_number(hid_t type, DType dtype, bool big_endian) {
    const Content content = of(type);
    ASSERT_TRUE(content.number) << to_string(dtype) << ": " << content.what;
    EXPECT_EQ(content.number->dtype, dtype);
    EXPECT_EQ(content.number->big_endian, big_endian);
  }

  void expect_other(hid_t type, const std::string& what, bool has_numbers) {
    const Content content = of(type);
    EXPECT_FALSE(content.number) << what;
    EXPECT_EQ(content.what, what);
    EXPECT_EQ(content.has_numbers, has_numbers) << what;
  }
};

hid_t copy(hid_t type) { return H5Tcopy(type); }

hid_t opaque(std::size_t bytes, const char* tag) {
  const hid_t type = H5Tcreate(H5T_OPAQUE, bytes);
  H5Tset_tag(type, tag);
  return type;
}

hid_t structure(std::initializer_list<std::pair<const char*, hid_t>> members) {
  std::size_t bytes = 0, at = 0;
  for (const auto& [name, type] : members) bytes += H5Tget_size(type);
  const hid_t result = H5Tcreate(H5T_COMPOUND, bytes);
  for (const auto& [name, type] : members) {
    EXPECT_GE(H5Tinsert(result, name, at, type), 0);
    at += H5Tget_size(type);
  }
  return result;
}

TEST_F(ContentOf, EveryElementTypeIsFoundInBothByteOrders) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const auto dtype = static_cast<DType>(i);
    expect_number(copy(type_of(dtype)), dtype, false);
  }
  expect_number(copy(H5T_IEEE_F32BE), DType::kF32, true);
  expect_number(copy(H5T_IEEE_F64BE), DType::kF64, true);
  expect_number(copy(H5T_STD_I16BE), DType::kI16, true);
  expect_number(copy(H5T_STD_U64BE), DType::kU64, true);
}

// The bits are the same, HDF5 says that the types are not.
TEST_F(ContentOf, NamesOfThePaddingDoNotMatter) {
  const hid_t padded = copy(H5T_IEEE_F32LE);
  ASSERT_GE(H5Tset_inpad(padded, H5T_PAD_ONE), 0);
  ASSERT_GE(H5Tset_pad(padded, H5T_PAD_ONE, H5T_PAD_ONE), 0);
  ASSERT_EQ(H5Tequal(padded, H5T_IEEE_F32LE), 0);
  expect_number(padded, DType::kF32, false);
  const hid_t integer = copy(H5T_STD_I32BE);
  ASSERT_GE(H5Tset_pad(integer, H5T_PAD_BACKGROUND, H5T_PAD_ONE), 0);
  expect_number(integer, DType::kI32, true);
}

TEST_F(ContentOf, OpaqueDataOfTwoBytesIsBfloat16) {
  expect_number(opaque(2, ""), DType::kBF16, false);
  expect_number(opaque(2, "bfloat16"), DType::kBF16, false);
  expect_other(opaque(1, ""), "opaque data of 1 byte", true);
  expect_other(opaque(4, "mine"), "opaque data of 4 bytes, tagged 'mine'", true);
  expect_other(opaque(8, "NUMPY:<M8[ns]"), "dates or time spans", false);
}

TEST_F(ContentOf, FloatsAndIntegersOfAnotherLayoutAreNamed) {
  expect_other(copy(H5T_NATIVE_LDOUBLE), "floats of 80 bits in 16 bytes (long double)", true);
  expect_other(copy(H5T_VAX_F32), "floats of 32 bits in 4 bytes", true);
  const hid_t biased = copy(H5T_IEEE_F32LE);
  H5Tset_ebias(biased, 128);
  expect_other(biased, "floats of 32 bits in 4 bytes", true);
  const hid_t unimplied = copy(H5T_IEEE_F32LE);
  H5Tset_norm(unimplied, H5T_NORM_NONE);
  expect_other(unimplied, "floats of 32 bits in 4 bytes", true);
  const hid_t wide = copy(H5T_IEEE_F32LE);  // a float in the middle of 8 bytes
  H5Tset_size(wide, 8);
  H5Tset_offset(wide, 16);
  expect_other(wide, "floats of 32 bits in 8 bytes", true);
  const hid_t twelve = copy(H5T_STD_I16LE);
  H5Tset_precision(twelve, 12);
  expect_other(twelve, "integers of 12 bits in 2 bytes", true);
  const hid_t huge = copy(H5T_STD_U8LE);
  H5Tset_size(huge, 16);
  expect_other(huge, "integers of 8 bits in 16 bytes", true);
}

TEST_F(ContentOf, OtherNumbersAreNamed) {
  expect_other(copy(H5T_STD_B8LE), "bit fields of 8 bits", true);
  expect_other(structure({{"r", H5T_IEEE_F32LE}, {"i", H5T_IEEE_F32LE}}),
               "complex numbers of 8 bytes", true);
  expect_other(structure({{"real", H5T_IEEE_F64LE}, {"imag", H5T_IEEE_F64LE}}),
               "complex numbers of 16 bytes", true);
  expect_other(structure({{"r", H5T_IEEE_F32LE}, {"i", H5T_IEEE_F64LE}}), "structures with F32",
               true);
  expect_other(structure({{"name", H5T_C_S1}, {"n", H5T_STD_I32LE}}), "structures with I32", true);
  const hsize_t two = 2;
  expect_other(H5Tarray_create2(H5T_IEEE_F32LE, 1, &two), "arrays of F32", true);
  expect_other(H5Tvlen_create(H5T_IEEE_F64BE), "lists of F64", true);
  const hid_t colours = H5Tenum_create(H5T_STD_I8LE);
  const signed char red = 3;
  H5Tenum_insert(colours, "RED", &red);
  expect_other(colours, "values of an enumeration", true);
}

TEST_F(ContentOf, WhatHoldsNoNumbersIsNamed) {
  expect_other(copy(H5T_C_S1), "text", false);
  const hid_t variable = copy(H5T_C_S1);
  H5Tset_size(variable, H5T_VARIABLE);
  expect_other(H5Tvlen_create(variable), "lists of text", false);
  expect_other(variable, "text", false);
  expect_other(copy(H5T_STD_REF_OBJ), "references", false);
  expect_other(copy(H5T_UNIX_D32LE), "dates", false);
  expect_other(structure({{"a", H5T_C_S1}, {"b", H5T_STD_REF_OBJ}}), "structures without numbers",
               false);
}

TEST_F(ContentOf, DeepAndWideTypesCountAsNumbers) {
  const hsize_t one = 1;
  hid_t deep = copy(H5T_C_S1);
  for (int i = 0; i < 8; ++i) {
    const hid_t outer = H5Tarray_create2(deep, 1, &one);
    H5Tclose(deep);
    deep = outer;
  }
  EXPECT_TRUE(of(deep).has_numbers);
  const hid_t wide = H5Tcreate(H5T_COMPOUND, 300);
  for (std::size_t i = 0; i < 300; ++i) H5Tinsert(wide, std::to_string(i).c_str(), i, H5T_C_S1);
  expect_other(wide, "structures of 300 members", true);
}

}  // namespace
}  // namespace pqw::h5
