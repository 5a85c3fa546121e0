#include "compress/tensor_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/compress/recipe.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<TensorInfo> kTensors = {
    {"conv.weight", DType::kF32, {64, 32, 3, 3}, {}, {Kind::kConv}},
    {"dw.weight", DType::kF32, {64, 1, 3, 3}, {}, {Kind::kDepthwise}},
    {"fc.weight", DType::kF32, {10, 64}, {}, {Kind::kLinear}},
    {"fc.bias", DType::kF32, {10}, {}, {Kind::kOther}},
    {"size", DType::kF32, {2, 2}}};

std::vector<std::string> matched(const std::string& pattern) {
  const TensorPattern compiled(pattern);
  std::vector<std::string> names;
  for (const TensorInfo& info : kTensors) {
    if (compiled.matches(info)) names.push_back(info.name);
  }
  return names;
}

TEST(TensorPattern, IsARegularExpressionOnTheName) {
  EXPECT_THAT(matched("fc"), ElementsAre("fc.weight", "fc.bias"));
  EXPECT_THAT(matched("^size$"), ElementsAre("size"));
  EXPECT_THAT(matched("size"), ElementsAre("size"));
  EXPECT_THAT(matched("kinds|rank"), IsEmpty());
}

TEST(TensorPattern, SelectsByKindRankAndSize) {
  EXPECT_THAT(matched("kind=depthwise"), ElementsAre("dw.weight"));
  EXPECT_THAT(matched("kind!=conv & rank>=2"), ElementsAre("dw.weight", "fc.weight", "size"));
  EXPECT_THAT(matched("kind = unknown"), ElementsAre("size"));
  EXPECT_THAT(matched("rank<2"), ElementsAre("fc.bias"));
  EXPECT_THAT(matched("rank=4"), ElementsAre("conv.weight", "dw.weight"));
  EXPECT_THAT(matched("size<=576"), ElementsAre("dw.weight", "fc.bias", "size"));
  EXPECT_THAT(matched("size<576"), ElementsAre("fc.bias", "size"));
  EXPECT_THAT(matched("size>576&size!=640"), ElementsAre("conv.weight"));
}

TEST(TensorPattern, TakesTheNameLast) {
  EXPECT_THAT(matched("rank=4&name=^dw|fc"), ElementsAre("dw.weight"));
  EXPECT_THAT(matched("name=^(fc|dw)"), ElementsAre("dw.weight", "fc.weight", "fc.bias"));
  EXPECT_THAT(matched("kind=linear&name=a&b"), IsEmpty());
}

TEST(TensorPattern, RefusesMistakes) {
  const auto message = [](const std::string& pattern) {
    return std::string(test::error_of([&] { check_pattern(pattern); }).what());
  };
  EXPECT_THAT(message("kind=convolution"), HasSubstr("expected kind= or kind!= and unknown"));
  EXPECT_THAT(message("kind=depthwize"), HasSubstr("did you mean 'depthwise'?"));
  EXPECT_THAT(message("kind<conv"), HasSubstr("expected kind= or kind!="));
  EXPECT_THAT(message("rank=x"), HasSubstr("rank=x: expected a whole number"));
  EXPECT_THAT(message("size<4k"), HasSubstr("size<4k: expected a whole number"));
  EXPECT_THAT(message("rank=2&weight"), HasSubstr("'weight': expected kind, rank, size or name"));
  EXPECT_THAT(message("rank=2&"), HasSubstr("ends with '&'"));
  EXPECT_THAT(message("name<a"), HasSubstr("name is followed by ="));
  EXPECT_THAT(message("rank=2&name=("), HasSubstr("pattern '('"));
}

}  // namespace
}  // namespace pqw
