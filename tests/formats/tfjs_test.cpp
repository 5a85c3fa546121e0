// Models of TensorFlow.js.
#include <gtest/gtest.h>

#include "formats/tfjs_layout.h"
#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::little_endian;
using test::Tensor;
using testing::ElementsAre;

class Tfjs : public testing::Test {
 protected:
  void write(const std::string& manifest) const {
    test::set_content(dir_ / "model.json", R"({"format":"layers-model","modelTopology":{"a":[{}]},)"
                                           R"("weightsManifest":)" +
                                               manifest + "}");
  }

  const test::TempDir dir_;
};

TEST_F(Tfjs, WeightsMayCrossTheirFiles) {
  const std::string a = little_endian<float>({1, 2}), b = little_endian<std::int32_t>({3, 4});
  test::set_content(dir_ / "1.bin", (a + b).substr(0, 6));
  test::set_content(dir_ / "2.bin", "");
  test::set_content(dir_ / "3.bin", (a + b).substr(6));
  test::set_content(dir_ / "4.bin", "\1");
  write(R"([{"paths":["1.bin","2.bin","3.bin"],"weights":[)"
        R"({"name":"dense/kernel","shape":[2,1],"dtype":"float32"},)"
        R"({"name":"ids","shape":[2],"dtype":"int32"}]},)"
        R"({"paths":["4.bin"],"weights":[{"name":"flag","shape":[],"dtype":"bool"}]}])");
  const std::vector<Tensor> expected = {{{"dense/kernel", DType::kF32, {2, 1}}, a},
                                        {{"ids", DType::kI32, {2}}, b},
                                        {{"flag", DType::kBool, {}}, "\1"}};
  EXPECT_EQ(test::read_all(dir_ / "model.json"), expected);
  EXPECT_EQ(test::read_all(dir_.path()), expected);
}

TEST_F(Tfjs, QuantizedWeightsAreTheFloatsThatTheyStandFor) {
  test::set_content(dir_ / "w",
                    std::string("\0\2\xff", 3) + little_endian<std::uint16_t>({0, 65535}) +
                        little_endian<std::uint16_t>({0x3c00}) + std::string("\1\2", 2));
  write(R"([{"paths":["w"],"weights":[)"
        R"({"name":"a","shape":[3],"dtype":"float32",)"
        R"("quantization":{"dtype":"uint8","scale":0.5,"min":-1,"original_dtype":"float32"}},)"
        R"({"name":"b","shape":[2],"dtype":"float32",)"
        R"("quantization":{"dtype":"uint16","scale":2,"min":0.25}},)"
        R"({"name":"c","shape":[1],"dtype":"float32","quantization":{"dtype":"float16"}},)"
        R"({"name":"d","shape":[2],"dtype":"int32",)"
        R"("quantization":{"dtype":"uint8","scale":1.5,"min":-3}}]}])");
  EXPECT_THAT(
      test::read_all(dir_ / "model.json"),
      ElementsAre(Tensor{{"a", DType::kF32, {3}}, little_endian<float>({-1, 0, 126.5f})},
                  Tensor{{"b", DType::kF32, {2}}, little_endian<float>({0.25f, 131070.25f})},
                  Tensor{{"c", DType::kF16, {1}}, little_endian<std::uint16_t>({0x3c00})},
                  // Math.round(-1.5) is -1.
                  Tensor{{"d", DType::kI32, {2}}, little_endian<std::int32_t>({-1, 0})}));
}

TEST(TfjsLayout, FollowsFromTheOperationInTheName) {
  const auto layout = [](const std::string& name, std::size_t rank) {
    return tfjs_layout({name, DType::kF32, Shape(rank, 2)});
  };
  EXPECT_EQ(layout("m/dense/MatMul/ReadVariableOp", 2), (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(layout("m/c/Conv2D/ReadVariableOp", 4), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout("m/c/depthwise/ReadVariableOp", 4), (Layout{Kind::kDepthwise, {2, 3, 0, 1}}));
  EXPECT_EQ(layout("M/Conv2d_1/weights", 4), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout("M/Conv2d_1/depthwise_weights", 4), (Layout{Kind::kDepthwise, {2, 3, 0, 1}}));
  EXPECT_EQ(layout("m/dense/BiasAdd/ReadVariableOp", 1), Layout());
  EXPECT_EQ(layout("dense/kernel", 2), Layout());
}

TEST_F(Tfjs, ClassesOfLayersTellTheLayouts) {
  test::set_content(dir_ / "w", std::string(4 * 16 * 4, '\0'));
  for (const std::string topology :
       {R"({"model_config":{"class_name":"Sequential","config":{"layers":[LAYERS]}}})",
        R"({"class_name":"Sequential","config":[LAYERS]})"}) {
    std::string text = topology;
    text.replace(text.find("LAYERS"), 6,
                 R"({"class_name":"Conv2DTranspose","config":{"name":"up"}},)"
                 R"({"class_name":"Dense","config":{"name":"head"}})");
    test::set_content(dir_ / "model.json",
                      R"({"modelTopology":)" + text +
                          R"(,"weightsManifest":[{"paths":["w"],)"
                          R"("weights":[{"name":"up/kernel","shape":[2,2,2,2],"dtype":"float32"},)"
                          R"({"name":"head/kernel","shape":[4,4],"dtype":"float32"},)"
                          R"({"name":"mine/kernel","shape":[4,4],"dtype":"float32"},)"
                          R"({"name":"head/kernel/m","shape":[4,4],"dtype":"float32",)"
                          R"("group":"optimizer"}]}]})");
    const auto reader = open_weights(dir_ / "model.json");
    EXPECT_EQ(reader->tensors()[0].layout, (Layout{Kind::kTransposedConv, {2, 3, 0, 1}}));
    EXPECT_EQ(reader->tensors()[1].layout, (Layout{Kind::kLinear, {1, 0}}));
    EXPECT_EQ(reader->tensors()[1].layout.ambiguous, "");
    EXPECT_NE(reader->tensors()[2].layout.ambiguous, "");
    EXPECT_EQ(reader->tensors()[3].layout, (Layout{Kind::kOther}));
  }
}

TEST_F(Tfjs, TextIsLeftOut) {
  test::set_content(dir_ / "w", little_endian<std::uint32_t>({2}) + "ab" +
                                    little_endian<std::uint32_t>({0}) + "x");
  write(R"([{"paths":["w"],"weights":[{"name":"t","shape":[2],"dtype":"string"},)"
        R"({"name":"u","shape":[],"dtype":"uint8"}]}])");
  EXPECT_THAT(test::read_all(dir_ / "model.json"), ElementsAre(Tensor{{"u", DType::kU8, {}}, "x"}));
  EXPECT_THAT(test::skipped_in(*open_weights(dir_ / "model.json")), ElementsAre("'t' holds text"));
}

}  // namespace
}  // namespace pqw
