#include "h5/types.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>

#include "pqw/core/convert.h"

namespace pqw::h5 {
namespace {

const Subject kSubject{"file", ErrorCode::kFormat, "object"};

TEST(Types, EveryElementTypeIsFoundFromItsOwnTypeOnly) {
  for (int i = 0; i < 15; ++i) {
    const auto dtype = static_cast<DType>(i);
    const auto found = dtype_of(type_of(dtype), kSubject);
    ASSERT_TRUE(found) << to_string(dtype);
    EXPECT_EQ(found->dtype, dtype);
    EXPECT_FALSE(found->big_endian);
    EXPECT_EQ(H5Tget_size(type_of(dtype)), size_in_bytes(dtype));
  }
}

TEST(Types, BigEndianIsFound) {
  const auto found = dtype_of(H5T_IEEE_F64BE, kSubject);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->dtype, DType::kF64);
  EXPECT_TRUE(found->big_endian);
}

TEST(Types, OthersAreNotFound) {
  initialize();
  const hsize_t dims[1] = {2};
  const hid_t array = H5Tarray_create2(H5T_IEEE_F32LE, 1, dims);
  const hid_t compound = H5Tcreate(H5T_COMPOUND, 4);
  const hid_t colours = H5Tenum_create(H5T_STD_I8LE);
  for (const hid_t type : {array, compound, colours, H5T_C_S1, H5T_STD_REF_OBJ, H5T_STD_B8LE,
                           H5T_NATIVE_LDOUBLE, H5T_UNIX_D32LE}) {
    EXPECT_FALSE(dtype_of(type, kSubject));
  }
  H5Tclose(array);
  H5Tclose(compound);
  H5Tclose(colours);
}

// HDF5's own conversion is the independent reading of the fields of the 16-bit types.
TEST(Types, HalvesMeanWhatHdf5ReadsInThem) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (const std::uint16_t bits : std::initializer_list<std::uint16_t>{
             0x0000, 0x3c00, 0x3f80, 0xc000, 0x0001, 0x7bff, 0x3555}) {
      float value = 0;
      std::uint16_t buffer[2] = {bits, 0};
      ASSERT_GE(H5Tconvert(type_of(dtype), H5T_NATIVE_FLOAT, 1, buffer, nullptr, H5P_DEFAULT), 0);
      std::memcpy(&value, buffer, sizeof(value));
      const float expected = dtype == DType::kF16 ? f16_to_float(bits) : bf16_to_float(bits);
      EXPECT_EQ(value, expected) << to_string(dtype) << " " << bits;
    }
  }
}

// 1 is sign 0, exponent = bias, mantissa 0.
TEST(Types, QuartersHaveTheFieldsOfTheirNames) {
  const auto value_of = [](DType dtype, unsigned char bits) {
    float value = 0;
    unsigned char buffer[4] = {bits, 0, 0, 0};
    EXPECT_GE(H5Tconvert(type_of(dtype), H5T_NATIVE_FLOAT, 1, buffer, nullptr, H5P_DEFAULT), 0);
    std::memcpy(&value, buffer, sizeof(value));
    return value;
  };
  EXPECT_EQ(value_of(DType::kF8E4M3, 7 << 3), 1.0f);
  EXPECT_EQ(value_of(DType::kF8E4M3, (7 << 3) + 4), 1.5f);
  EXPECT_EQ(value_of(DType::kF8E5M2, 15 << 2), 1.0f);
  EXPECT_EQ(value_of(DType::kF8E5M2, 0x80 | (16 << 2)), -2.0f);
}

TEST(Types, BoolIsTheEnumerationOfH5py) {
  const Id type = type_of(DType::kBool);
  signed char value = -1;
  EXPECT_EQ(H5Tget_nmembers(type), 2);
  EXPECT_GE(H5Tenum_valueof(type, "FALSE", &value), 0);
  EXPECT_EQ(value, 0);
  EXPECT_GE(H5Tenum_valueof(type, "TRUE", &value), 0);
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace pqw::h5
