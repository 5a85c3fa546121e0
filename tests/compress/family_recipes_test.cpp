// The recipes of families of networks find the layers that they mean, by the names that common
// libraries give them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "pqw/compress/compress.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

struct Layer {
  std::string name;
  std::vector<std::size_t> shape;
  std::string bits;  // of tcq that the recipe gives it; else its codec
};

// The setting `key` of a rule; empty if it has none.
std::string value_of(const TensorReport& tensor, const std::string& key) {
  const auto found =
      std::ranges::find(tensor.rule, key, &std::pair<std::string, std::string>::first);
  return found == tensor.rule.end() ? "" : found->second;
}

void expect_bits(const std::string& recipe, const std::vector<Layer>& layers) {
  const test::TempDir dir;
  std::vector<TensorInfo> tensors;
  for (const Layer& layer : layers) tensors.push_back({layer.name, DType::kF32, layer.shape});
  test::write_normal_weights(dir / "m.safetensors", tensors);
  const Report report = plan_compression(
      dir / "m.safetensors", read_recipe(std::filesystem::path(PQW_RECIPES) / (recipe + ".yaml")));
  for (const Layer& layer : layers) {
    const auto tensor = std::ranges::find(
        report.tensors, layer.name, [](const TensorReport& found) { return found.info.name; });
    ASSERT_NE(tensor, report.tensors.end());
    const std::string bits = value_of(*tensor, "bits");
    EXPECT_EQ(tensor->codec == "tcq" ? bits : tensor->codec, layer.bits) << layer.name;
  }
}

TEST(FamilyRecipes, MobilenetOfTorchvisionKeepsDepthwiseStemAndClassifierFiner) {
  expect_bits("mobilenet", {{"features.0.0.weight", {16, 3, 3, 3}, "int8"},
                            {"features.1.block.1.0.weight", {16, 1, 3, 3}, "int8"},
                            {"features.4.block.0.0.weight", {240, 64, 1, 1}, "5"},
                            {"features.4.block.1.0.weight", {600, 1, 5, 5}, "7"},
                            {"features.4.block.2.fc1.weight", {64, 240, 1, 1}, "5"},
                            {"features.4.block.3.0.weight", {200, 240, 1, 1}, "3"},
                            {"classifier.3.weight", {200, 300}, "5"}});
}

TEST(FamilyRecipes, MobilenetOfTimmKeepsDepthwiseFiner) {
  expect_bits("mobilenet", {{"conv_stem.weight", {96, 3, 3, 3}, "7"},
                            {"blocks.1.0.conv_pw.weight", {300, 200, 1, 1}, "3"},
                            {"blocks.1.0.conv_dw.weight", {960, 1, 5, 5}, "7"},
                            {"blocks.1.0.conv_pwl.weight", {200, 300, 1, 1}, "3"}});
}

TEST(FamilyRecipes, ResnetKeepsFirstConvolutionClassifierAndEarlyStagesFiner) {
  for (const std::string first : {"conv1.weight", "model.conv1.weight", "stem.conv.weight",
                                  "resnet.embedder.embedder.convolution.weight"}) {
    expect_bits("resnet", {{first, {64, 3, 7, 7}, "7"},
                           {"layer1.0.conv1.weight", {32, 32, 3, 3}, "5"},
                           {"layer4.0.conv1.weight", {96, 96, 3, 3}, "3"},
                           {"layer4.0.downsample.0.weight", {128, 64, 1, 1}, "5"},
                           {"fc.weight", {300, 256}, "5"}});
  }
}

TEST(FamilyRecipes, TransformerTellsAttentionFromFeedForwardInNamesOfBert) {
  const std::string layer = "bert.encoder.layer.0.";
  expect_bits("transformer", {{"bert.embeddings.word_embeddings.weight", {4000, 128}, "4.5"},
                              {"bert.embeddings.position_embeddings.weight", {128, 128}, "6"},
                              {layer + "attention.self.query.weight", {128, 128}, "4.5"},
                              {layer + "attention.self.key.weight", {128, 128}, "4.5"},
                              {layer + "attention.self.value.weight", {128, 128}, "4.5"},
                              {layer + "attention.output.dense.weight", {128, 128}, "5"},
                              {layer + "intermediate.dense.weight", {512, 128}, "3.5"},
                              {layer + "output.dense.weight", {128, 512}, "3.5"}});
}

TEST(FamilyRecipes, TransformerTellsAttentionFromFeedForwardInOtherNames) {
  expect_bits("transformer", {{"transformer.wte.weight", {4000, 128}, "4.5"},
                              {"transformer.wpe.weight", {128, 128}, "6"},
                              {"transformer.h.0.attn.c_attn.weight", {128, 384}, "4.5"},
                              {"transformer.h.0.attn.c_proj.weight", {128, 128}, "5"},
                              {"transformer.h.0.mlp.c_fc.weight", {128, 512}, "3.5"},
                              {"transformer.h.0.mlp.c_proj.weight", {512, 128}, "3.5"},
                              {"model.layers.0.self_attn.q_proj.weight", {128, 128}, "4.5"},
                              {"model.layers.0.self_attn.o_proj.weight", {128, 128}, "5"},
                              {"model.layers.0.mlp.down_proj.weight", {128, 512}, "3.5"},
                              {"blocks.0.attn.qkv.weight", {384, 128}, "4.5"},
                              {"blocks.0.attn.proj.weight", {128, 128}, "5"},
                              {"patch_embed.proj.weight", {128, 3, 16, 16}, "6"},
                              {"blocks.0.mlp.fc1.weight", {512, 128}, "3.5"},
                              {"layers.0.self_attn.in_proj_weight", {384, 128}, "4.5"},
                              {"layers.0.self_attn.out_proj.weight", {128, 128}, "5"},
                              {"layers.0.multihead_attn.in_proj_weight", {384, 128}, "4.5"},
                              {"layers.0.linear1.weight", {512, 128}, "3.5"},
                              {"block.0.layer.0.SelfAttention.o.weight", {128, 128}, "5"},
                              {"block.0.layer.1.DenseReluDense.wi.weight", {512, 128}, "3.5"}});
}

TEST(FamilyRecipes, OcrKeepsDepthwiseFinestAndTheListOfCharactersFinerThanConvolutions) {
  expect_bits("ocr", {{"conv2d_10.w_0", {16, 3, 3, 3}, "int8"},
                      {"conv2d_179.w_0", {480, 1, 5, 5}, "7"},
                      {"conv2d_170.w_0", {240, 240, 1, 1}, "5"},
                      {"conv2d_145.w_0", {60, 384, 1, 3}, "3.75"},
                      {"linear_81.w_0", {360, 120}, "5"},
                      {"linear_85.w_0", {4200, 120}, "4.25"}});
}

TEST(FamilyRecipes, SuperResolutionKeepsConvolutionsToAndFromPixelsFiner) {
  expect_bits("super_resolution", {{"conv_first.weight", {64, 3, 3, 3}, "int8"},
                                   {"body.0.rdb1.conv1.weight", {32, 64, 3, 3}, "3.75"},
                                   {"conv_body.weight", {64, 64, 3, 3}, "3.75"},
                                   {"conv_up1.weight", {64, 64, 3, 3}, "3.75"},
                                   {"conv_last.weight", {3, 64, 3, 3}, "int8"}});
}

}  // namespace
}  // namespace pqw
