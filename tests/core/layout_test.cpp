#include "pqw/core/layout.h"

#include <gtest/gtest.h>

#include "pqw/core/tensor.h"

namespace pqw {
namespace {

TEST(Kind, HasANameThatLeadsBackToIt) {
  EXPECT_EQ(to_string(Kind::kUnknown), "unknown");
  EXPECT_EQ(to_string(Kind::kTransposedConv), "transposed_conv");
  EXPECT_EQ(to_string(Kind::kOther), "other");
  for (int kind = 0; kind <= static_cast<int>(Kind::kOther); ++kind) {
    EXPECT_EQ(kind_from_string(to_string(static_cast<Kind>(kind))), static_cast<Kind>(kind));
  }
  EXPECT_EQ(kind_from_string("Linear"), std::nullopt);
  EXPECT_EQ(kind_from_string(""), std::nullopt);
}

TEST(Axes, ArePermutations) {
  const auto is = [](std::vector<std::size_t> axes, std::size_t rank) {
    return is_permutation(axes, rank);
  };
  EXPECT_TRUE(is({}, 0));
  EXPECT_TRUE(is({1, 0}, 2));
  EXPECT_TRUE(is({3, 2, 0, 1}, 4));
  EXPECT_FALSE(is({1, 0}, 3));
  EXPECT_FALSE(is({1, 1}, 2));
  EXPECT_FALSE(is({0, 2}, 2));
}

TEST(CanonicalShape, PutsOutputsFirst) {
  const Shape kernel = {3, 5, 16, 32};  // [h, w, in, out]
  const Layout layout{Kind::kConv, {3, 2, 0, 1}};
  EXPECT_EQ(canonical_shape(kernel, layout.axes), Shape({32, 16, 3, 5}));
  EXPECT_EQ(canonical_shape(kernel, {}), kernel);
}

TEST(CanonicalTensor, HasNoAxes) {
  const TensorInfo kernel{"k", DType::kF32, {3, 5, 16, 32}, {}, {Kind::kConv, {3, 2, 0, 1}}};
  const TensorInfo expected{"k", DType::kF32, {32, 16, 3, 5}, {}, {Kind::kConv}};
  EXPECT_EQ(canonical(kernel), expected);
  EXPECT_EQ(canonical(expected), expected);
}

TEST(Letters, NameTheDimensionsInTheOrderOfTheFile) {
  using Axes = std::vector<std::size_t>;
  EXPECT_EQ(axes_from_letters("oi"), Axes({0, 1}));
  EXPECT_EQ(axes_from_letters("io"), Axes({1, 0}));
  EXPECT_EQ(axes_from_letters("wio"), Axes({2, 1, 0}));
  EXPECT_EQ(axes_from_letters("hwio"), Axes({3, 2, 0, 1}));
  EXPECT_EQ(axes_from_letters("hwoi"), Axes({2, 3, 0, 1}));
  EXPECT_EQ(axes_from_letters("hwcm"), Axes({2, 3, 0, 1}));
  EXPECT_EQ(axes_from_letters("iodhw"), Axes({1, 0, 2, 3, 4}));
  for (const char* wrong : {"", "o", "i", "hw", "oo", "oii", "oix", "oihhw", "oc", "ocim", "OI"}) {
    EXPECT_EQ(axes_from_letters(wrong), std::nullopt) << wrong;
  }
}

TEST(Letters, AreMadeOfAxes) {
  for (const char* letters : {"oi", "io", "wio", "oiw", "hwio", "whoi", "oidhw", "dhwio"}) {
    EXPECT_EQ(letters_of(*axes_from_letters(letters), std::string(letters).size()), letters);
  }
  EXPECT_EQ(letters_of({}, 4), "oihw");
  EXPECT_EQ(letters_of({}, 1), "[0]");
  EXPECT_EQ(letters_of(std::vector<std::size_t>{1, 0, 2, 3, 4, 5}, 6), "[1, 0, 2, 3, 4, 5]");
}

}  // namespace
}  // namespace pqw
