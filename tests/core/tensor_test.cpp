#include "pqw/core/tensor.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"

namespace pqw {
namespace {

TEST(Tensor, CountsElementsAndBytes) {
  EXPECT_EQ(element_count(Shape{}), 1u);
  EXPECT_EQ(element_count(Shape{3, 0, 2}), 0u);
  EXPECT_EQ(byte_count({"w", DType::kF16, {4, 8}}), 64u);
}

TEST(Tensor, OverflowIsNoticed) {
  const std::size_t big = std::size_t{1} << 62;
  EXPECT_EQ(checked_element_count(Shape{big, 4}), std::nullopt);
  EXPECT_EQ(checked_byte_count(Shape{big}, DType::kF32), std::nullopt);
  EXPECT_EQ(checked_element_count(Shape{big, 4, 0}), std::nullopt);
  EXPECT_THROW(byte_count({"w", DType::kF64, {big}}), Error);
}

TEST(Tensor, DtypeNamesRoundTrip) {
  for (const char* name :
       {"F16", "BF16",    "F32",     "F64",         "F8_E4M3",     "F8_E5M2", "I8",   "I16",
        "I32", "I64",     "U8",      "U16",         "U32",         "U64",     "BOOL", "F8_E8M0",
        "F4",  "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"}) {
    const auto dtype = dtype_from_string(name);
    ASSERT_TRUE(dtype) << name;
    EXPECT_EQ(to_string(*dtype), name);
  }
  EXPECT_EQ(dtype_from_string("f32"), std::nullopt);
  EXPECT_EQ(dtype_from_string("unknown"), std::nullopt);
}

TEST(Tensor, ElementsOfLessThanAByteFillWholeBytes) {
  EXPECT_EQ(byte_count({"w", DType::kF4, {3, 2}}), 3u);
  EXPECT_EQ(byte_count({"w", DType::kF6E2M3, {8}}), 6u);
  EXPECT_EQ(byte_count({"w", DType::kF6E3M2, {4, 0}}), 0u);
  EXPECT_EQ(checked_byte_count(Shape{3}, DType::kF4), std::nullopt);
  EXPECT_EQ(checked_byte_count(Shape{2}, DType::kF6E3M2), std::nullopt);
  EXPECT_EQ(checked_byte_count(Shape{std::size_t{1} << 62}, DType::kF4), std::nullopt);
  EXPECT_EQ(byte_count({"w", DType::kC64, {3}}), 24u);
  EXPECT_EQ(byte_count({"w", DType::kF8E8M0, {3}}), 3u);
}

TEST(Tensor, OfAnUnknownTypeSaysItsSizeItself) {
  TensorInfo info{"w", DType::kUnknown, {5}, UnknownType{"I4", 3}};
  EXPECT_EQ(byte_count(info), 3u);
  EXPECT_EQ(dtype_name(info), "I4");
  info.unknown.reset();
  EXPECT_EQ(checked_byte_count(info), std::nullopt);
  EXPECT_EQ(dtype_name({"w", DType::kF4, {2}}), "F4");
}

TEST(Tensor, BasicTypesAreThoseUpToBool) {
  EXPECT_TRUE(is_basic(DType::kF16));
  EXPECT_TRUE(is_basic(DType::kBool));
  EXPECT_FALSE(is_basic(DType::kF8E8M0));
  EXPECT_FALSE(is_basic(DType::kUnknown));
}

TEST(Tensor, NamesOfTypesAreLettersDigitsAndUnderscores) {
  EXPECT_TRUE(is_dtype_name("F8_E4M3"));
  EXPECT_TRUE(is_dtype_name(std::string(64, 'x')));
  for (const std::string& name : {std::string(), std::string(65, 'x'), std::string("F 4"),
                                  std::string("F4,"), std::string("F4\0", 3)}) {
    EXPECT_FALSE(is_dtype_name(name)) << name;
  }
}

TEST(Tensor, ShapeAsText) {
  EXPECT_EQ(to_string(Shape{64, 3, 7}), "[64, 3, 7]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

}  // namespace
}  // namespace pqw
