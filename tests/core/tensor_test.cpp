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
  for (const char* name : {"F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2", "I8", "I16", "I32",
                           "I64", "U8", "U16", "U32", "U64", "BOOL"}) {
    const auto dtype = dtype_from_string(name);
    ASSERT_TRUE(dtype) << name;
    EXPECT_EQ(to_string(*dtype), name);
  }
  EXPECT_EQ(dtype_from_string("f32"), std::nullopt);
}

TEST(Tensor, ShapeAsText) {
  EXPECT_EQ(to_string(Shape{64, 3, 7}), "[64, 3, 7]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

}  // namespace
}  // namespace pqw
