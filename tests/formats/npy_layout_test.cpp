// Fortran order to row-major order, over shapes and element sizes.
#include <gtest/gtest.h>

#include <numeric>

#include "formats/byte_order.h"
#include "formats/npy.h"

namespace pqw {
namespace {

// The definition: element (i0, i1, ...) lies at i0 + d0 * (i1 + d1 * (i2 + ...)).
std::vector<std::byte> reference(const Shape& shape, std::size_t element_bytes,
                                 const std::vector<std::byte>& from) {
  std::vector<std::byte> to;
  const std::size_t count = element_count(shape);
  for (std::size_t n = 0; n < count; ++n) {  // row-major number of the element
    std::size_t rest = n, at = 0, stride = count;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      stride /= shape[axis];
      at += rest % shape[axis] * stride;
      rest /= shape[axis];
    }
    for (std::size_t b = 0; b < element_bytes; ++b) to.push_back(from[at * element_bytes + b]);
  }
  return to;
}

TEST(NpyLayout, FortranOrderBecomesRowMajorForEveryShape) {
  for (const Shape& shape : {Shape{2, 3}, Shape{1, 5, 1}, Shape{33, 65}, Shape{4, 3, 2},
                             Shape{2, 3, 4, 5}, Shape{3, 1, 2, 1, 2, 3}, Shape{40, 2, 3, 33}}) {
    for (const std::size_t element_bytes : {1u, 2u, 4u, 8u}) {
      std::vector<std::byte> from(element_count(shape) * element_bytes);
      for (std::size_t i = 0; i < from.size(); ++i)
        from[i] = static_cast<std::byte>(i * 7 + i / 251);
      std::vector<std::byte> to(from.size());
      fortran_to_row_major(shape, element_bytes, from, to);
      EXPECT_EQ(to, reference(shape, element_bytes, from)) << to_string(shape);
    }
  }
}

TEST(NpyLayout, BytesOfEveryElementAreReversed) {
  std::vector<std::byte> data{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  swap_bytes(data, 2);
  EXPECT_EQ(data, (std::vector{std::byte{2}, std::byte{1}, std::byte{4}, std::byte{3}}));
}

}  // namespace
}  // namespace pqw
