#include "core/permute.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "pqw/core/tensor.h"

namespace pqw {
namespace {

// Element number i of the tensor, as bytes that tell i and the place in the element.
std::vector<std::byte> numbered(std::size_t count, std::size_t element_bytes) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < count * element_bytes; ++i) {
    bytes.push_back(
        static_cast<std::byte>((i / element_bytes * 7 + i % element_bytes * 131) % 251));
  }
  return bytes;
}

// One element after the other, by its coordinates.
std::vector<std::byte> permuted(const std::vector<std::byte>& from, const Shape& shape,
                                const Shape& axes, std::size_t element_bytes) {
  std::vector<std::byte> to(from.size());
  const Shape result = canonical_shape(shape, axes);
  for (std::size_t i = 0; i < element_count(shape); ++i) {
    Shape at(shape.size());
    std::size_t rest = i;
    for (std::size_t d = shape.size(); d-- > 0;) {
      at[d] = rest % shape[d];
      rest /= shape[d];
    }
    std::size_t place = 0;
    for (std::size_t d = 0; d < axes.size(); ++d) place = place * result[d] + at[axes[d]];
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(i * element_bytes), element_bytes,
                to.begin() + static_cast<std::ptrdiff_t>(place * element_bytes));
  }
  return to;
}

TEST(Permute, PutsEveryElementInItsPlace) {
  for (const Shape& shape : {Shape{3, 5},
                             {40, 70},
                             {1, 9},
                             {2, 3, 4},
                             {33, 1, 65},
                             {3, 3, 5, 7},
                             {1, 1, 34, 35},
                             {2, 3, 1, 4, 5}}) {
    Shape axes(shape.size());
    std::iota(axes.begin(), axes.end(), std::size_t{0});
    do {
      for (const std::size_t element_bytes : {1, 2, 4, 8}) {
        const auto from = numbered(element_count(shape), element_bytes);
        std::vector<std::byte> to(from.size()), back(from.size());
        permute(from, shape, axes, to);
        ASSERT_EQ(to, permuted(from, shape, axes, element_bytes))
            << to_string(shape) << " by " << to_string(axes);
        permute(to, canonical_shape(shape, axes), inverse_axes(axes), back);
        ASSERT_EQ(back, from);
      }
    } while (std::next_permutation(axes.begin(), axes.end()));
  }
}

TEST(Permute, TransposesAMatrix) {
  const std::vector<std::byte> from = {std::byte{1}, std::byte{2}, std::byte{3},
                                       std::byte{4}, std::byte{5}, std::byte{6}};
  std::vector<std::byte> to(6);
  permute(from, Shape{2, 3}, Shape{1, 0}, to);
  const std::vector<std::byte> expected = {std::byte{1}, std::byte{4}, std::byte{2},
                                           std::byte{5}, std::byte{3}, std::byte{6}};
  EXPECT_EQ(to, expected);
}

TEST(Permute, CopesWithNoElementsAndScalars) {
  std::vector<std::byte> none;
  permute(none, Shape{0, 4}, Shape{1, 0}, none);
  const std::vector<std::byte> one(4, std::byte{9});
  std::vector<std::byte> to(4);
  permute(one, Shape{}, Shape{}, to);
  EXPECT_EQ(to, one);
}

}  // namespace
}  // namespace pqw
