#include "formats/layout_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Layout layout_of(const std::string& name, Shape shape) {
  return layouts_by_name(std::vector<TensorInfo>{{name, DType::kF32, std::move(shape)}})[0];
}

TEST(LayoutsByName, OfPyTorch) {
  EXPECT_EQ(layout_of("fc1.weight", {10, 20}), (Layout{Kind::kLinear}));
  EXPECT_EQ(layout_of("in_proj_weight", {10, 20}), (Layout{Kind::kLinear}));
  EXPECT_EQ(layout_of("fc1.bias", {10}), (Layout{Kind::kOther}));
  EXPECT_EQ(layout_of("norm.weight", {10}), (Layout{Kind::kOther}));
  EXPECT_EQ(layout_of("conv.weight", {8, 4, 3}), (Layout{Kind::kConv}));
  EXPECT_EQ(layout_of("features.0.weight", {8, 4, 3, 3}), (Layout{Kind::kConv}));
  EXPECT_EQ(layout_of("dw.weight", {8, 1, 3, 3}), (Layout{Kind::kDepthwise}));
  EXPECT_EQ(layout_of("lstm.weight_ih_l0", {80, 20}), (Layout{Kind::kRecurrent}));
  EXPECT_EQ(layout_of("lstm.weight_hh_l0_reverse", {80, 20}), (Layout{Kind::kRecurrent}));
  EXPECT_EQ(layout_of("embed_tokens.weight", {100, 20}), (Layout{Kind::kEmbedding}));
  EXPECT_EQ(layout_of("transformer.wte.weight", {100, 20}), (Layout{Kind::kEmbedding}));
  EXPECT_EQ(layout_of("time_embedding.linear_1.weight", {9, 20}), (Layout{Kind::kLinear}));
  EXPECT_EQ(layout_of("patch_embed.proj.weight", {8, 3, 4, 4}), (Layout{Kind::kConv}));
  EXPECT_EQ(layout_of("experts.weight", {8, 30, 40}), (Layout{}));
  EXPECT_EQ(layout_of("pos_embed", {1, 30, 40}), (Layout{}));
}

TEST(LayoutsByName, OfKerasAndFlax) {
  EXPECT_EQ(layout_of("dense_1/kernel:0", {20, 10}), (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(layout_of("Dense_0/kernel", {20, 10}), (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(layout_of("conv2d/kernel", {3, 3, 4, 8}), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout_of("conv1d/kernel", {3, 4, 8}), (Layout{Kind::kConv, {2, 1, 0}}));
  EXPECT_EQ(layout_of("conv2d_transpose_1/kernel", {3, 3, 8, 4}),
            (Layout{Kind::kTransposedConv, {2, 3, 0, 1}}));
  EXPECT_EQ(layout_of("ConvTranspose_0/kernel", {3, 3, 4, 8}),
            (Layout{Kind::kTransposedConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout_of("Conv_0/kernel", {3, 3, 1, 8}), (Layout{Kind::kDepthwise, {3, 2, 0, 1}}));
  EXPECT_EQ(layout_of("x/depthwise_kernel", {3, 3, 4, 2}),
            (Layout{Kind::kDepthwise, {2, 3, 0, 1}}));
  EXPECT_EQ(layout_of("x/pointwise_kernel", {1, 1, 4, 8}), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout_of("lstm/recurrent_kernel", {4, 16}), (Layout{Kind::kRecurrent, {1, 0}}));
  EXPECT_EQ(layout_of("embedding/embeddings", {100, 16}), (Layout{Kind::kEmbedding}));
  EXPECT_EQ(layout_of("Embed_0/embedding", {100, 16}), (Layout{Kind::kEmbedding}));
  EXPECT_EQ(layout_of("query/kernel", {16, 4, 4}), (Layout{}));
}

TEST(LayoutsByName, SaysWhatIsGuessed) {
  EXPECT_THAT(layout_of("dense/kernel", {20, 10}).ambiguous, IsEmpty());
  EXPECT_THAT(layout_of("kernel", {20, 10}).ambiguous, HasSubstr("set layout=oi"));
  EXPECT_THAT(layout_of("a/kernel", {3, 3, 4, 8}).ambiguous, HasSubstr("transposed"));
  EXPECT_THAT(layout_of("query/kernel", {16, 4, 4}).ambiguous, HasSubstr("attention heads"));
  const Layout guessed = layout_of("up.deconv.weight", {8, 4, 3, 3});
  EXPECT_EQ(guessed, (Layout{Kind::kTransposedConv, {1, 0, 2, 3}}));
  EXPECT_THAT(guessed.ambiguous, HasSubstr("layout=oihw"));
}

TEST(LayoutsByName, OneInputInOneTensorOnlyIsAGuess) {
  const std::vector<TensorInfo> one = {{"a.weight", DType::kF32, {8, 1, 3, 3}},
                                       {"b.weight", DType::kF32, {8, 8, 3, 3}}};
  EXPECT_THAT(layouts_by_name(one)[0].ambiguous, HasSubstr("one channel"));
  const std::vector<TensorInfo> two = {one[0], {"c.weight", DType::kF32, {8, 1, 3, 3}}};
  EXPECT_THAT(layouts_by_name(two)[0].ambiguous, IsEmpty());
}

TEST(LayoutsByName, FindsTheLinearLayersOfGpt2ByTheirShapes) {
  const auto of = [](Shape c_attn) {
    return layouts_by_name(std::vector<TensorInfo>{{"h.0.attn.c_attn.weight", DType::kF32, c_attn},
                                                   {"h.0.attn.c_proj.weight", DType::kF32, {8, 8}},
                                                   {"wpe.weight", DType::kF32, {8, 8}}});
  };
  const auto transformers = of({8, 24}), others = of({24, 8});
  EXPECT_EQ(transformers[0], (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(transformers[1], (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(transformers[2], (Layout{Kind::kEmbedding}));
  EXPECT_EQ(others[0], (Layout{Kind::kLinear}));
  EXPECT_EQ(others[1], (Layout{Kind::kLinear}));
}

TEST(LayoutsByName, LeaveWhatTheFormatTells) {
  const std::vector<TensorInfo> told = {
      {"a.weight", DType::kF32, {8, 4}, {}, {Kind::kRecurrent, {1, 0}}}};
  EXPECT_EQ(layouts_by_name(told)[0], told[0].layout);
}

}  // namespace
}  // namespace pqw
