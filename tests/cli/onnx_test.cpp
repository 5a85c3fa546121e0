// ONNX models through the tool: quantize, decode into a copy, export.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/cli_testing.h"
#include "tests/formats/onnx_building.h"

namespace pqw {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class OnnxTool : public test::CliTest {
 protected:
  OnnxTool() {
    onnx::ModelProto model = test::onnx_model();
    test::add_floats(*model.mutable_graph(), "w", {96, 64});
    test::add_floats(*model.mutable_graph(), "bias", {64});
    test::add_node(*model.mutable_graph(), "MatMul", {"x", "w"}, "y");
    test::add_node(*model.mutable_graph(), "Add", {"y", "bias"}, "z");
    test::set_content(dir_ / "m.onnx", model.SerializeAsString());
    run({"quantize", "m.onnx", "-o", "m.h5", "--codec", "pq", "--centroids", "16"});
  }

  onnx::ModelProto model(const std::string& name) const {
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(test::content(dir_ / name)));
    return model;
  }
};

TEST_F(OnnxTool, DecodedCopyDiffersFromItsTemplateInTheValuesAlone) {
  const test::Outcome decode = run({"decode", "m.h5", "--template", "m.onnx", "-o", "d.onnx"});
  EXPECT_EQ(decode.status, 0) << decode.err;
  EXPECT_EQ(decode.err, "d.onnx: 2 tensors\n");
  onnx::ModelProto original = model("m.onnx"), copy = model("d.onnx");
  EXPECT_NE(copy.graph().initializer(0).raw_data(), original.graph().initializer(0).raw_data());
  original.mutable_graph()->mutable_initializer(0)->clear_raw_data();
  copy.mutable_graph()->mutable_initializer(0)->clear_raw_data();
  EXPECT_EQ(copy.SerializeAsString(), original.SerializeAsString());
  EXPECT_EQ(run({"eval", "m.onnx", "d.onnx"}).status, 0);
}

TEST_F(OnnxTool, TensorsThatTheArchiveDoesNotGiveAreNamed) {
  const test::Outcome decode =
      run({"decode", "m.h5", "--template", "m.onnx", "-o", "d.onnx", "--tensor", "^w$"});
  EXPECT_EQ(decode.err,
            "d.onnx: 1 tensor\n"
            "d.onnx: 1 tensor of the template not found in the archive, values kept; for example "
            "tensor 'bias'\n");
}

TEST_F(OnnxTool, ExportIsSmallAndSaysWhatItSaves) {
  const test::Outcome exported = run({"export", "m.h5", "--template", "m.onnx", "-o", "s.onnx"});
  EXPECT_EQ(exported.status, 0) << exported.err;
  EXPECT_THAT(exported.err, HasSubstr("1 tensor decoded by nodes when a runtime loads the model: "
                                      "this saves disk and download, not memory\n"));
  EXPECT_LT(std::filesystem::file_size(dir_ / "s.onnx"), 96u * 64 * 4 / 5);
  EXPECT_EQ(model("s.onnx").graph().node().rbegin()->op_type(), "Add");
}

TEST_F(OnnxTool, ExportRefusesOutputsBeforeTheWork) {
  const test::Outcome name = run({"export", "m.h5", "--template", "m.onnx", "-o", "s.bin"});
  EXPECT_EQ(name.status, 2);
  EXPECT_THAT(name.err, HasSubstr("expected the extension .onnx, or --format onnx"));
  EXPECT_THAT(run({"export", "m.h5", "--template", "m.onnx", "-o", "m.onnx", "--force"}).err,
              HasSubstr("input and output are the same file"));
  test::set_content(dir_ / "s.onnx", "mine");
  EXPECT_THAT(run({"export", "m.h5", "--template", "m.onnx", "-o", "s.onnx"}).err,
              HasSubstr("s.onnx: exists already; --force replaces it"));
  EXPECT_EQ(test::content(dir_ / "s.onnx"), "mine");
}

TEST_F(OnnxTool, DecodeToOnnxNeedsATemplate) {
  EXPECT_THAT(run({"decode", "m.h5", "-o", "d.onnx"}).err, HasSubstr("--template"));
}

}  // namespace
}  // namespace pqw
