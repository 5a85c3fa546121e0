// ONNX models as weight files.
#include <filesystem>
#include <map>

#include "formats/formats.h"
#include "tests/formats/file_testing.h"
#include "tests/formats/onnx_building.h"

namespace pqw {
namespace {

using onnx::ModelProto;
using onnx::TensorProto;
using testing::ElementsAre;
using Axes = std::vector<std::size_t>;

class Onnx : public testing::Test {
 protected:
  void write(const ModelProto& model) const { test::set_content(path_, model.SerializeAsString()); }

  std::unique_ptr<WeightReader> open(const ModelProto& model) const {
    write(model);
    return open_weights(path_);
  }

  std::vector<std::string> names(const ModelProto& model) const {
    std::vector<std::string> result;
    const auto reader = open(model);
    for (const TensorInfo& info : reader->tensors()) result.push_back(info.name);
    return result;
  }

  // Of the tensor named "w".
  Layout layout(const ModelProto& model) const {
    const auto reader = open(model);
    for (const TensorInfo& info : reader->tensors()) {
      if (info.name == "w") return info.layout;
    }
    return {Kind::kUnknown, {99}, "missing"};
  }

  // Of a weight "w" that a node has as input `place`.
  Layout layout_in(const std::string& op, const std::vector<std::int64_t>& shape, int place,
                   const std::map<std::string, std::int64_t>& attributes = {}) const {
    ModelProto model = test::onnx_model();
    test::add_floats(*model.mutable_graph(), "w", shape);
    onnx::NodeProto& node = test::add_node(*model.mutable_graph(), op, {}, "y");
    for (int i = 0; i < place; ++i) node.add_input("x" + std::to_string(i));
    node.add_input("w");
    for (const auto& [name, value] : attributes) test::set_int(node, name, value);
    return layout(model);
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "model.onnx";
};

TEST_F(Onnx, InitializersAndConstantsAreTensors) {
  ModelProto model = test::onnx_model();
  test::add_floats(*model.mutable_graph(), "w", {2, 3});
  test::add_constant(*model.mutable_graph(), "c", {2});
  test::add_floats(*model.mutable_graph(), "scalar", {});
  write(model);
  const auto floats = [](std::initializer_list<float> values) {
    return test::little_endian<float>(values);
  };
  EXPECT_EQ(
      test::read_all(path_),
      (std::vector<test::Tensor>{{{"w", DType::kF32, {2, 3}}, floats({0, .5f, 1, 1.5f, 2, 2.5f})},
                                 {{"scalar", DType::kF32, {}}, floats({0})},
                                 {{"c", DType::kF32, {2}}, floats({0, .5f})}}));
}

TEST_F(Onnx, RepeatedNamesGetThePathOfTheirGraph) {
  ModelProto model = test::onnx_model();
  test::add_floats(*model.mutable_graph(), "w", {1});
  onnx::NodeProto& node = test::add_node(*model.mutable_graph(), "If", {"x"}, "y");
  node.set_name("if");
  for (const char* branch : {"then_branch", "else_branch"}) {
    onnx::GraphProto& graph = test::add_subgraph(node, branch);
    test::add_floats(graph, "w", {1});
    test::add_constant(graph, "only", {1});
  }
  onnx::NodeProto& loop = test::add_node(*model.mutable_graph(), "Loop", {"x"}, "z");
  loop.set_name("if");  // names of nodes need not be unique
  test::add_floats(test::add_subgraph(loop, "then_branch"), "w", {1});
  EXPECT_THAT(names(model), ElementsAre("w", "if.then_branch/w", "only", "if.else_branch/w",
                                        "if.else_branch/only", "if.then_branch/w#2"));
}

TEST_F(Onnx, AttributesOfOtherNodesAndSparseTensorsAreCarried) {
  ModelProto model = test::onnx_model();
  onnx::NodeProto& node = test::add_node(*model.mutable_graph(), "ConstantOfShape", {"x"}, "y");
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name("value");
  onnx::GraphProto scratch;
  *attribute.mutable_t() = test::add_floats(scratch, "", {1});
  onnx::SparseTensorProto& sparse = *model.mutable_graph()->add_sparse_initializer();
  *sparse.mutable_values() = test::add_floats(scratch, "s", {2});
  *sparse.mutable_indices() =
      test::add_raw(scratch, "", TensorProto::INT64, {2}, std::string(16, '\0'));
  EXPECT_THAT(names(model), ElementsAre("s.values", "s.indices", "y_node.value"));
}

TEST_F(Onnx, TextIsSkipped) {
  ModelProto model = test::onnx_model();
  TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name("labels");
  tensor.set_data_type(TensorProto::STRING);
  tensor.add_dims(1);
  tensor.add_string_data("cat");
  EXPECT_THAT(test::skipped_in(*open(model)), ElementsAre("'labels' holds text"));
}

TEST_F(Onnx, MetadataIsKept) {
  ModelProto model = test::onnx_model();
  auto* const entry = model.add_metadata_props();
  entry->set_key("author");
  entry->set_value("me");
  EXPECT_EQ(open(model)->metadata(), (Metadata{{"author", "me"}}));
}

TEST_F(Onnx, ValuesAreReadFromEveryField) {
  ModelProto model = test::onnx_model();
  const auto add = [&](const char* name, int type, std::int64_t size) -> TensorProto& {
    TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    tensor.add_dims(size);
    return tensor;
  };
  add("float", TensorProto::FLOAT, 1).add_float_data(1.5f);
  add("double", TensorProto::DOUBLE, 1).add_double_data(-2.5);
  add("int64", TensorProto::INT64, 1).add_int64_data(-3);
  add("uint64", TensorProto::UINT64, 1).add_uint64_data(UINT64_MAX);
  add("uint32", TensorProto::UINT32, 1).add_uint64_data(UINT32_MAX);
  add("half", TensorProto::FLOAT16, 1).add_int32_data(0x3c00);
  add("bfloat", TensorProto::BFLOAT16, 1).add_int32_data(0xbf80);
  add("int8", TensorProto::INT8, 2).add_int32_data(-1);
  model.mutable_graph()->mutable_initializer(7)->add_int32_data(127);
  add("bool", TensorProto::BOOL, 1).add_int32_data(1);
  TensorProto& complex = add("complex", TensorProto::COMPLEX64, 1);
  complex.add_float_data(1);
  complex.add_float_data(2);
  add("int4", 22, 3).add_int32_data(0x21);
  model.mutable_graph()->mutable_initializer(10)->add_int32_data(3);
  write(model);
  std::map<std::string, std::pair<std::string, std::string>> found;
  for (const test::Tensor& t : test::read_all(path_)) {
    found[t.info.name] = {std::string(dtype_name(t.info)), t.bytes};
  }
  const auto is = [&](const char* name, const char* dtype, const std::string& bytes) {
    EXPECT_EQ(found[name], std::pair(std::string(dtype), bytes)) << name;
  };
  is("float", "F32", test::little_endian<float>({1.5f}));
  is("double", "F64", test::little_endian<double>({-2.5}));
  is("int64", "I64", test::little_endian<std::int64_t>({-3}));
  is("uint64", "U64", std::string(8, '\xff'));
  is("uint32", "U32", std::string(4, '\xff'));
  is("half", "F16", std::string("\x00\x3c", 2));
  is("bfloat", "BF16", "\x80\xbf");
  is("int8", "I8", "\xff\x7f");
  is("bool", "BOOL", "\x01");
  is("complex", "C64", test::little_endian<float>({1, 2}));
  is("int4", "INT4", "\x21\x03");
}

// Older writers do not pack repeated numbers.
TEST_F(Onnx, NumbersThatAreNotPackedAreRead) {
  ModelProto model = test::onnx_model();
  TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(2);
  // float_data (field 4, wire type 5) of 1 and 2, as an unknown field with the same encoding
  tensor.GetReflection()->MutableUnknownFields(&tensor)->AddFixed32(4, 0x3f800000);
  tensor.GetReflection()->MutableUnknownFields(&tensor)->AddFixed32(4, 0x40000000);
  write(model);
  EXPECT_EQ(test::read_all(path_).at(0).bytes, test::little_endian<float>({1, 2}));
}

TEST_F(Onnx, ExternalDataIsReadFromTheFolderOfTheModel) {
  ModelProto model = test::onnx_model();
  test::set_external(test::add_floats(*model.mutable_graph(), "a", {1}), "w.data", "4", "4");
  test::set_external(test::add_floats(*model.mutable_graph(), "b", {1}), "deep/w.data", "", "");
  test::set_external(test::add_floats(*model.mutable_graph(), "c", {1}), "w.data", "4", "4");
  test::set_content(dir_ / "w.data", test::little_endian<float>({1, 2}));
  std::filesystem::create_directory(dir_ / "deep");
  test::set_content(dir_ / "deep/w.data", test::little_endian<float>({3}));
  const auto reader = open(model);
  EXPECT_EQ(test::text_of(reader->read(0)), test::little_endian<float>({2}));
  EXPECT_EQ(test::text_of(reader->read(1)), test::little_endian<float>({3}));
  EXPECT_EQ(reader->stored_as(1), 1u);
  EXPECT_EQ(reader->stored_as(2), 0u);
  // So that no output replaces one of them.
  ASSERT_EQ(reader->files().size(), 3u);
  EXPECT_TRUE(std::filesystem::equivalent(reader->files()[1], dir_ / "deep/w.data"));
  EXPECT_TRUE(std::filesystem::equivalent(reader->files()[2], dir_ / "w.data"));
  EXPECT_EQ(reader->file_bytes(), std::filesystem::file_size(path_) + 4 + 8);
}

TEST_F(Onnx, OperatorsTellKindAndOrder) {
  const auto is = [](Kind kind, const Axes& axes) { return Layout{kind, axes, ""}; };
  EXPECT_EQ(layout_in("MatMul", {2, 3}, 1), is(Kind::kLinear, {1, 0}));
  EXPECT_EQ(layout_in("MatMul", {2, 3}, 0), is(Kind::kLinear, {}));
  EXPECT_EQ(layout_in("MatMul", {4, 2, 3}, 1), is(Kind::kLinear, {0, 2, 1}));
  EXPECT_EQ(layout_in("MatMulInteger", {2, 3}, 1), is(Kind::kLinear, {1, 0}));
  EXPECT_EQ(layout_in("Gemm", {2, 3}, 1), is(Kind::kLinear, {1, 0}));
  EXPECT_EQ(layout_in("Gemm", {2, 3}, 1, {{"transB", 1}}), is(Kind::kLinear, {}));
  EXPECT_EQ(layout_in("Gemm", {2, 3}, 0, {{"transA", 1}}), is(Kind::kLinear, {1, 0}));
  EXPECT_EQ(layout_in("Gemm", {3}, 2), is(Kind::kOther, {}));
  EXPECT_EQ(layout_in("Conv", {8, 4, 3, 3}, 1), is(Kind::kConv, {}));
  EXPECT_EQ(layout_in("Conv", {8, 2, 3, 3}, 1, {{"group", 2}}), is(Kind::kConv, {}));
  EXPECT_EQ(layout_in("Conv", {8, 1, 3, 3}, 1, {{"group", 8}}), is(Kind::kDepthwise, {}));
  EXPECT_EQ(layout_in("Conv", {8, 1, 3, 3}, 1), is(Kind::kConv, {})) << "one input channel";
  EXPECT_EQ(layout_in("ConvTranspose", {8, 4, 3}, 1), is(Kind::kTransposedConv, {1, 0, 2}));
  EXPECT_EQ(layout_in("Gather", {8, 4}, 0), is(Kind::kEmbedding, {}));
  EXPECT_EQ(layout_in("Gather", {8, 4}, 0, {{"axis", 1}}), is(Kind::kEmbedding, {1, 0}));
  EXPECT_EQ(layout_in("Gather", {8, 4}, 1), Layout());
  EXPECT_EQ(layout_in("LSTM", {1, 8, 3}, 1), is(Kind::kRecurrent, {1, 2, 0}));
  EXPECT_EQ(layout_in("GRU", {2, 6, 2}, 2), is(Kind::kRecurrent, {}));
  EXPECT_EQ(layout_in("RNN", {1, 4}, 3), is(Kind::kOther, {}));
  EXPECT_EQ(layout_in("BatchNormalization", {4}, 1), is(Kind::kOther, {}));
  EXPECT_EQ(layout_in("Add", {2, 3}, 1), Layout());
}

TEST_F(Onnx, OrderIsFoundThroughNodesThatArrangeTheTensor) {
  ModelProto model = test::onnx_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  test::add_floats(graph, "w", {6, 1, 1, 5});
  test::add_raw(graph, "shape", TensorProto::INT64, {2},
                test::little_endian<std::int64_t>({0, -1}));
  test::add_node(graph, "Cast", {"w"}, "a");
  test::set_ints(test::add_node(graph, "Transpose", {"a"}, "b"), "perm", {3, 0, 1, 2});
  test::add_node(graph, "Identity", {"b"}, "c");
  test::add_node(graph, "Reshape", {"c", "shape"}, "d");  // [5, 6]
  test::set_int(test::add_node(graph, "Gemm", {"x", "d"}, "y"), "transB", 1);
  // Of rank 4, the tensor cannot have the axes of a matrix, so only the kind is known.
  EXPECT_EQ(layout(model).kind, Kind::kLinear);

  ModelProto second = test::onnx_model();
  test::add_floats(*second.mutable_graph(), "w", {6, 5});
  test::add_node(*second.mutable_graph(), "Transpose", {"w"}, "t");
  test::add_node(*second.mutable_graph(), "DequantizeLinear", {"t", "s"}, "d");
  test::add_node(*second.mutable_graph(), "MatMul", {"x", "d"}, "y");
  EXPECT_EQ(layout(second), (Layout{Kind::kLinear, {}, ""}));
}

TEST_F(Onnx, ReshapeThatMixesDimensionsIsAmbiguous) {
  ModelProto model = test::onnx_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  test::add_floats(graph, "w", {6, 4});
  test::add_raw(graph, "shape", TensorProto::INT64, {2}, test::little_endian<std::int64_t>({3, 8}));
  test::add_node(graph, "Reshape", {"w", "shape"}, "d");
  test::add_node(graph, "MatMul", {"x", "d"}, "y");
  const Layout found = layout(model);
  EXPECT_EQ(found, (Layout{Kind::kLinear, {}, ""}));
  EXPECT_EQ(found.ambiguous, "the tensor is reshaped before its layer");
}

TEST_F(Onnx, SubGraphsSeeTheTensorsAroundThem) {
  ModelProto model = test::onnx_model();
  test::add_floats(*model.mutable_graph(), "w", {2, 3});
  onnx::NodeProto& node = test::add_node(*model.mutable_graph(), "If", {"x"}, "y");
  test::add_node(test::add_subgraph(node, "then_branch"), "MatMul", {"x", "w"}, "z");
  EXPECT_EQ(layout(model), (Layout{Kind::kLinear, {1, 0}, ""}));
}

TEST_F(Onnx, SavedModelOfTensorFlowIsNotOnnx) {
  // saved_model_schema_version: 1, then a MetaGraphDef of 200 KB
  const std::string graph(200'000, 'x');
  test::set_content(path_, std::string("\x08\x01\x12\xc0\x9a\x0c", 6) + graph);
  const auto error = test::error_of_reading(path_);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error->what(), testing::HasSubstr("TensorFlow's saved_model.pb? "));
}

}  // namespace
}  // namespace pqw
