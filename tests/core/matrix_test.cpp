#include "pqw/core/matrix.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "pqw/core/tensor.h"

namespace pqw {
namespace {

TEST(MatrixShape, DimensionsAfterTheFirstAreTheColumns) {
  const MatrixShape matrix = matrix_shape(Shape{64, 3, 7, 5});
  EXPECT_EQ(matrix.rows, 64u);
  EXPECT_EQ(matrix.cols, 3u * 7 * 5);
  EXPECT_EQ(matrix_shape(Shape{0, 4}).rows, 0u);
  EXPECT_EQ(matrix_shape(Shape{4, 0}).cols, 0u);
}

TEST(MatrixShape, VectorsAndScalarsAreRefused) {
  try {
    matrix_shape(Shape{3});
    FAIL() << "rank 1";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(), "shape [3] has rank 1; a weight needs rank 2 or more");
  }
  EXPECT_THROW(matrix_shape(Shape{}), Error);
}

}  // namespace
}  // namespace pqw
