// Exported ONNX models decode their weights themselves.
#include "pqw/pipeline/export_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/checker.h>

#include <filesystem>
#include <numeric>

#include "codecs/alias.h"
#include "codecs/cast.h"
#include "model/archive_tensors.h"
#include "pipeline/onnx_decoder.h"
#include "pipeline/onnx_nodes.h"
#include "pqw/archive/archive.h"
#include "tests/formats/onnx_building.h"
#include "tests/pipeline/onnx_evaluator.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/random_tcq_weight.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using onnx::GraphProto;
using onnx::ModelProto;
using test::Array;

// Codebooks and codes without a pattern that a wrong order would keep.
PqWeight pq_weight(const Shape& shape, std::size_t block_size, std::size_t n_centroids,
                   std::size_t n_groups = 1) {
  PqWeight weight;
  weight.shape = shape;
  weight.block_size = block_size;
  weight.n_centroids = n_centroids;
  weight.n_groups = n_groups;
  for (std::size_t i = 0; i < n_groups * n_centroids * block_size; ++i) {
    weight.codebooks.push_back(static_cast<float>(i * 37 % 101) / 4 - 12);
  }
  for (std::size_t i = 0; i < weight.positions() * weight.rows(); ++i) {
    weight.codes.push_back(static_cast<std::uint16_t>(i * i * 7 % n_centroids));
  }
  return weight;
}

std::vector<std::int64_t> dims(const Shape& shape) { return {shape.begin(), shape.end()}; }

class Exporting : public testing::Test {
 protected:
  // A model whose initializer "w" a MatMul uses.
  ModelProto& model_with(const Shape& shape, int opset = 17) {
    model_ = test::onnx_model(opset);
    test::add_floats(*model_.mutable_graph(), "w", dims(shape));
    test::add_node(*model_.mutable_graph(), "MatMul", {"x", "w"}, "y");
    return model_;
  }

  void archive(const std::vector<Record>& records) const {
    ArchiveWriter writer(archive_, {.overwrite = true});
    for (const Record& record : records) writer.add(record);
    writer.commit();
  }

  ExportReport run(bool overwrite = true) const {
    test::set_content(original_, model_.SerializeAsString());
    return export_onnx(archive_, original_, out_, overwrite);
  }

  ModelProto result() const {
    ModelProto model;
    EXPECT_TRUE(model.ParseFromString(test::content(out_)));
    return model;
  }

  // The values of the exported graph, without the nodes that need an input.
  test::OnnxEvaluator evaluated() const {
    ModelProto model = result();
    test::OnnxEvaluator evaluator;
    auto& nodes = *model.mutable_graph()->mutable_node();
    nodes.DeleteSubrange(nodes.size() - n_layers_, n_layers_);
    evaluator.run(model.graph());
    return evaluator;
  }

  // What pqw itself decodes.
  Array decoded(std::size_t index) const {
    const DecodedArchive reader(archive_);
    const TensorInfo& info = reader.tensors()[index];
    std::vector<float> floats(element_count(info.shape));
    to_float(reader.read(index), info.dtype, floats);
    return {dims(info.shape), {floats.begin(), floats.end()}, 1};
  }

  // Exports a model with this weight alone, and expects the values that pqw decodes.
  void expect_exact(const Weight& weight, int opset = 17) {
    model_with(head_of(weight).shape, opset);
    archive({to_record(weight, "w")});
    EXPECT_EQ(run().tensors.at(0).form, ExportForm::kNodes);
    EXPECT_EQ(evaluated().values.at("w"), decoded(0));
    EXPECT_EQ(result().graph().node(result().graph().node_size() - 1).op_type(), "MatMul");
  }

  const test::TempDir dir_;
  const std::string archive_ = dir_ / "a.h5", original_ = dir_ / "m.onnx", out_ = dir_ / "o.onnx";
  ModelProto model_;
  int n_layers_ = 1;  // nodes at the end of the graph that are not evaluated
};

TEST_F(Exporting, PqIsDecodedAsByHand) {
  PqWeight weight;
  weight.shape = {64, 4};
  weight.block_size = 2;
  weight.n_centroids = 3;
  weight.codebooks = {1, 2, 3, 4, 5, 6};
  weight.codes.assign(128, 2);  // [positions = 2][rows = 64]
  weight.codes[0] = 0;          // row 0, position 0
  weight.codes[64 + 1] = 1;     // row 1, position 1
  model_with({64, 4});
  archive({to_record(weight, "w")});
  run();
  const Array w = evaluated().values.at("w");
  EXPECT_EQ(w.shape, (std::vector<std::int64_t>{64, 4}));
  const std::vector<double> rows(w.values.begin(), w.values.begin() + 12);
  EXPECT_EQ(rows, (std::vector<double>{1, 2, 5, 6, 5, 6, 3, 4, 5, 6, 5, 6}));
}

TEST_F(Exporting, CodesOfEveryWidthAreExact) {
  for (const std::size_t k : {1, 2, 3, 5, 9, 17, 60, 128, 200, 256, 300, 512, 5000, 65536}) {
    SCOPED_TRACE(k);
    expect_exact(pq_weight(k < 5000 ? Shape{96, 48} : Shape{600, 600}, 4, k));
  }
}

TEST_F(Exporting, GroupsTailsKernelsAndRowScalesAreExact) {
  expect_exact(pq_weight({64, 50}, 4, 16, 3));
  expect_exact(pq_weight({64, 50}, 4, 16), 9);
  expect_exact(pq_weight({32, 7, 3, 3}, 9, 64));
  for (const RowScales type : {RowScales::kF16, RowScales::kLog8}) {
    PqWeight weight = pq_weight({64, 50}, 4, 16);
    weight.row_scale_type = type;
    for (int i = 0; i < 64; ++i) weight.row_scales.push_back(std::exp2(static_cast<float>(-i % 7)));
    expect_exact(weight);
  }
  PqWeight in_floats = pq_weight({64, 48}, 4, 16);
  in_floats.codebook_dtype = DType::kF32;
  in_floats.codebooks[5] = 0.1f;
  expect_exact(in_floats);
}

TEST_F(Exporting, AdditiveCodebooksAreExact) {
  for (const int opset : {9, 17}) {
    PqWeight weight = test::random_pq_weight({64, 50}, 4, 16, 3, 2);
    weight.codebook_dtype = DType::kF32;
    expect_exact(weight, opset);
    expect_exact(test::with_row_scales(weight), opset);
  }
}

// With tables of few integers and of many.
TEST_F(Exporting, TrellisCodedWeightsAreExact) {
  for (const float spread : {4.0f, 100.0f}) {
    TcqWeight weight = test::random_tcq_weight({64, 50}, true, true, spread);
    expect_exact(weight);
    weight.means.clear();
    expect_exact(weight, 9);
  }
}

TEST_F(Exporting, HalvesAreRoundedAndSaturate) {
  PqWeight weight = pq_weight({64, 48}, 4, 16);
  weight.dtype = DType::kF16;
  weight.row_scale_type = RowScales::kF16;
  weight.row_scales.assign(64, 1.5f);
  weight.codebooks[3] = 60000;
  weight.codebooks[7] = -60000;
  model_ = test::onnx_model();
  test::add_raw(*model_.mutable_graph(), "w", onnx::TensorProto::FLOAT16, {64, 48},
                std::string(64 * 48 * 2, '\0'));
  test::add_node(*model_.mutable_graph(), "MatMul", {"x", "w"}, "y");
  archive({to_record(weight, "w")});
  run();
  const Array w = evaluated().values.at("w");
  EXPECT_EQ(w.type, onnx::TensorProto::FLOAT16);
  EXPECT_EQ(w.values, decoded(0).values);
  EXPECT_EQ(*std::ranges::max_element(w.values), 65504);
}

TEST_F(Exporting, Int8IsExact) {
  Int8Weight weight;
  weight.shape = {64, 6};
  for (int i = 0; i < 64 * 6; ++i)
    weight.values.push_back(static_cast<std::int8_t>(i * 11 % 255 - 127));
  weight.scales = {0.1f};
  expect_exact(weight);
  weight.zero_points = {-3};
  expect_exact(weight);
  weight.scales.clear();
  for (int i = 0; i < 64; ++i) weight.scales.push_back(0.1f + static_cast<float>(i));
  weight.zero_points.assign(64, 7);
  weight.zero_points[5] = -128;
  expect_exact(weight);
}

// The sums are exact in float, so that their order does not matter.
LowRankWeight low_rank_weight() {
  LowRankWeight weight;
  weight.shape = {96, 64};
  weight.outer = std::make_shared<Weight>(pq_weight({96, 8}, 4, 16));
  weight.inner = std::make_shared<Weight>(pq_weight({8, 64}, 4, 16));
  return weight;
}

TEST_F(Exporting, LowRankIsTheProductOfItsFactors) {
  model_with({96, 64});
  test::add_node(*model_.mutable_graph(), "Add", {"y", "w"}, "z");
  archive({to_record(low_rank_weight(), "w")});
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kNodes);
  n_layers_ = 2;
  EXPECT_EQ(evaluated().values.at("w"), decoded(0));
}

TEST_F(Exporting, ProductsWithLowRankGoThroughItsFactors) {
  model_with({96, 64});
  test::add_raw(*model_.mutable_graph(), "x", onnx::TensorProto::FLOAT, {1, 96},
                std::string(95 * 4, '\0') + std::string("\0\0\x80\x3f", 4));  // 0, ..., 0, 1
  archive({to_record(low_rank_weight(), "w")});
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kFactors);
  n_layers_ = 0;
  const auto values = evaluated().values;
  EXPECT_FALSE(values.contains("w"));
  const Array w = decoded(0);
  EXPECT_EQ(values.at("y"), (Array{{1, 64}, {w.values.end() - 64, w.values.end()}, 1}));
}

TEST_F(Exporting, TensorThatOnlyGatherUsesStaysCoded) {
  for (const std::size_t k : {16, 256, 512}) {
    SCOPED_TRACE(k);
    model_ = test::onnx_model();
    test::add_floats(*model_.mutable_graph(), "w", {300, 50});
    test::add_raw(*model_.mutable_graph(), "ids", onnx::TensorProto::INT64, {2, 2},
                  std::string("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x2b\1\0\0\0\0\0\0"
                              "\xff\xff\xff\xff\xff\xff\xff\xff",
                              32));  // 2, 0, 299, -1
    test::add_node(*model_.mutable_graph(), "Gather", {"w", "ids"}, "y");
    PqWeight weight = pq_weight({300, 50}, 4, k, 2);
    weight.row_scale_type = RowScales::kLog8;
    for (int i = 0; i < 300; ++i)
      weight.row_scales.push_back(std::exp2(static_cast<float>(-i % 7)));
    archive({to_record(weight, "w")});
    EXPECT_EQ(run().tensors.at(0).form, ExportForm::kRows);
    n_layers_ = 0;
    const auto values = evaluated().values;
    EXPECT_FALSE(values.contains("w"));
    const Array all = decoded(0);
    Array expected{{2, 2, 50}, {}, 1};
    for (const int row : {2, 0, 299, 299}) {
      expected.values.insert(expected.values.end(), all.values.begin() + row * 50,
                             all.values.begin() + (row + 1) * 50);
    }
    EXPECT_EQ(values.at("y"), expected);
  }
}

TEST_F(Exporting, EmbeddingWithAnotherUseIsDecodedOnce) {
  model_with({300, 50});
  test::add_node(*model_.mutable_graph(), "Gather", {"w", "ids"}, "z");
  archive({to_record(pq_weight({300, 50}, 4, 16), "w")});
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kNodes);
  n_layers_ = 2;
  EXPECT_EQ(evaluated().values.at("w"), decoded(0));
}

TEST_F(Exporting, AliasSharesTheNodesOfItsTarget) {
  model_with({96, 48});
  test::add_floats(*model_.mutable_graph(), "tied", {96, 48});
  archive({to_record(pq_weight({96, 48}, 4, 16), "w"),
           alias_record({"tied", DType::kF32, {96, 48}}, "w")});
  run();
  EXPECT_EQ(evaluated().values.at("tied"), decoded(0));
  int n_gathers = 0;
  const GraphProto graph = result().graph();
  for (const auto& node : graph.node())
    n_gathers += node.input(0) == "w" ? 0 : node.op_type() == "Gather";
  EXPECT_EQ(n_gathers, 2) << "a table of bits and a codebook, once";
}

TEST_F(Exporting, NarrowedTensorIsWidened) {
  model_with({40, 30});
  std::vector<float> values(1200);
  std::iota(values.begin(), values.end(), -600.f);
  std::vector<std::byte> halves(2400);
  from_float(values, DType::kF16, halves);
  archive({cast_record({"w", DType::kF32, {40, 30}}, DType::kF16, halves)});
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kNodes);
  EXPECT_EQ(evaluated().values.at("w"), decoded(0));
  EXPECT_EQ(result().graph().initializer_size(), 1);
}

TEST_F(Exporting, SmallTensorIsWrittenInFull) {
  model_with({4, 4});
  archive({to_record(pq_weight({4, 4}, 2, 4), "w")});
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kValues);
  EXPECT_EQ(evaluated().values.at("w"), decoded(0));
  EXPECT_EQ(result().graph().node_size(), 1);
}

TEST_F(Exporting, PlainTensorIsKeptOrReplaced) {
  model_with({4, 4});
  const std::string own = model_.graph().initializer(0).raw_data();
  const TensorInfo info{"w", DType::kF32, {4, 4}};
  const auto write = [&](const std::string& bytes) {
    ArchiveWriter writer(archive_, {.overwrite = true});
    writer.add_plain(info, std::as_bytes(std::span(bytes)));
    writer.commit();
  };
  write(own);
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kKept);
  EXPECT_EQ(test::content(out_), test::content(original_));
  write(std::string(64, '\0'));
  EXPECT_EQ(run().tensors.at(0).form, ExportForm::kValues);
  EXPECT_EQ(evaluated().values.at("w").values, std::vector<double>(16));
}

TEST_F(Exporting, ConstantsAndSubGraphsAreReplacedWhereTheyAre) {
  model_ = test::onnx_model();
  GraphProto& graph = *model_.mutable_graph();
  test::add_constant(graph, "c", {96, 48});
  onnx::NodeProto& node = test::add_node(graph, "If", {"x"}, "y");
  GraphProto& branch = test::add_subgraph(node, "then_branch");
  test::add_floats(branch, "b", {96, 48});
  test::add_node(branch, "MatMul", {"x", "b"}, "z");
  archive(
      {to_record(pq_weight({96, 48}, 4, 256), "c"), to_record(pq_weight({96, 48}, 4, 16), "b")});
  run();
  EXPECT_EQ(evaluated().values.at("c"), decoded(0));
  const GraphProto inside =
      result().graph().node(result().graph().node_size() - 1).attribute(0).g();
  EXPECT_EQ(inside.initializer_size(), 0);
  test::OnnxEvaluator evaluator = evaluated();
  GraphProto nodes = inside;
  nodes.mutable_node()->RemoveLast();
  evaluator.run(nodes);
  EXPECT_EQ(evaluator.values.at("b"), decoded(1));
}

TEST_F(Exporting, OldModelsGetAnIrVersionWithoutInputsForInitializers) {
  model_with({96, 48}, 9);
  model_.set_ir_version(3);
  model_.mutable_graph()->add_input()->set_name("x");
  model_.mutable_graph()->add_input()->set_name("w");
  archive({to_record(pq_weight({96, 48}, 4, 16), "w")});
  run();
  EXPECT_EQ(result().ir_version(), 4);
  ASSERT_EQ(result().graph().input_size(), 1);
  EXPECT_EQ(result().graph().input(0).name(), "x");
  EXPECT_EQ(evaluated().values.at("w"), decoded(0));
}

TEST_F(Exporting, NewNamesDoNotMeetThoseOfTheModel) {
  model_with({96, 48});
  test::add_node(*model_.mutable_graph(), "Identity", {"y"}, "pqw/0");
  archive({to_record(pq_weight({96, 48}, 4, 16), "w")});
  run();
  n_layers_ = 2;
  EXPECT_EQ(evaluated().values.at("w"), decoded(0));
}

TEST_F(Exporting, ExternalDataStaysExternal) {
  model_with({96, 48});
  test::set_content(dir_ / "w.bin", std::string(96 * 48 * 4, '\0'));
  test::set_external(*model_.mutable_graph()->mutable_initializer(0), "w.bin", "", "");
  test::set_external(test::add_floats(*model_.mutable_graph(), "kept", {4}), "w.bin", "16", "");
  archive({to_record(pq_weight({96, 48}, 4, 256), "w")});
  const ExportReport report = run();
  EXPECT_EQ(report.kept, std::vector<std::string>{"kept"});
  EXPECT_EQ(report.output_bytes,
            std::filesystem::file_size(out_) + std::filesystem::file_size(out_ + ".data"));
  std::vector<std::string> external;
  const GraphProto graph = result().graph();
  for (const auto& tensor : graph.initializer()) {
    if (tensor.external_data_size() > 0) external.push_back(tensor.external_data(0).value());
  }
  EXPECT_EQ(external, (std::vector<std::string>(3, "o.onnx.data"))) << "codes, codebook, kept";
}

// Protobuf cannot hold more than 2 GiB.
TEST_F(Exporting, DataOfLargeModelsBecomesExternal) {
  model_with({96, 48});
  archive({to_record(pq_weight({96, 48}, 4, 256), "w")});
  run();
  ASSERT_FALSE(std::filesystem::exists(out_ + ".data"));
  const GraphProto inside = result().graph();
  const std::uint64_t n_bytes =
      std::filesystem::file_size(original_) + std::filesystem::file_size(archive_);
  (void)export_onnx(archive_, original_, out_, true, {}, n_bytes);
  EXPECT_EQ(result().graph().SerializeAsString(), inside.SerializeAsString());
  (void)export_onnx(archive_, original_, out_, true, {}, n_bytes - 1);
  const std::string data = test::content(out_ + ".data");
  const GraphProto outside = result().graph();
  std::size_t n_external = 0;
  for (int i = 0; i < inside.initializer_size(); ++i) {
    const auto& entries = outside.initializer(i).external_data();
    if (entries.empty()) continue;
    ++n_external;
    EXPECT_EQ(entries[0].value(), "o.onnx.data");
    EXPECT_EQ(data.substr(std::stoul(entries[1].value()), std::stoul(entries[2].value())),
              inside.initializer(i).raw_data());
  }
  EXPECT_EQ(n_external, 2u) << "codes and codebook";
}

// They wait in a temporary file.
TEST_F(Exporting, CodesOfMoreThanAMegabyte) { expect_exact(pq_weight({1100, 4000}, 4, 16)); }

// Dimension i of the decoded weight is dimension axes[i] of the tensor.
TEST_F(Exporting, TensorsGetTheOrderOfTheirFile) {
  const PqWeight weight = pq_weight({6, 4, 3}, 4, 16);
  std::vector<float> canonical(6 * 4 * 3);
  decode_rows(Weight(weight), 0, {canonical.data(), 6, 12});
  OnnxNodes nodes("p/", 17);
  TensorInfo info{"w", DType::kF32, {3, 4, 6}};
  info.layout.axes = {2, 1, 0};
  add_decoder(nodes, weight, info, "w");
  GraphProto graph;
  ASSERT_TRUE(graph.ParseFromString(nodes.take_nodes()));
  for (const auto& tensor : nodes.take_tensors()) *graph.add_initializer() = tensor;
  test::OnnxEvaluator evaluator;
  evaluator.run(graph);
  const Array w = evaluator.values.at("w");
  ASSERT_EQ(w.shape, (std::vector<std::int64_t>{3, 4, 6}));
  for (std::size_t o = 0; o < 6; ++o) {
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(w.values[(k * 4 + i) * 6 + o], canonical[(o * 4 + i) * 3 + k]);
      }
    }
  }
}

// Of a real model in small, libonnx's own rules hold.
TEST_F(Exporting, CheckerOfOnnxAccepts) {
  for (const int opset : {9, 11, 13, 17}) {
    model_with({96, 50}, opset);
    for (const char* name : {"x", "y"}) {
      auto* const value = name == std::string("x") ? model_.mutable_graph()->add_input()
                                                   : model_.mutable_graph()->add_output();
      value->set_name(name);
      auto* const type = value->mutable_type()->mutable_tensor_type();
      type->set_elem_type(1);
      type->mutable_shape()->add_dim()->set_dim_value(1);
      type->mutable_shape()->add_dim()->set_dim_value(name == std::string("x") ? 96 : 50);
    }
    PqWeight weight = pq_weight({96, 50}, 4, 300, 2);
    weight.row_scale_type = RowScales::kLog8;
    weight.row_scales.assign(96, 0.5f);
    archive({to_record(weight, "w")});
    run();
    EXPECT_NO_THROW(onnx::checker::check_model(result())) << opset;
    EXPECT_EQ(evaluated().values.at("w"), decoded(0));
  }
}

TEST_F(Exporting, SameArchiveGivesSameBytes) {
  model_with({96, 50});
  archive({to_record(pq_weight({96, 50}, 4, 300, 2), "w")});
  run();
  const std::string first = test::content(out_);
  run();
  EXPECT_EQ(test::content(out_), first);
}

TEST_F(Exporting, RefusesTemplatesThatDoNotFit) {
  model_with({96, 48}, 8);
  archive({to_record(pq_weight({96, 48}, 4, 16), "w")});
  EXPECT_THAT(test::error_of([&] { run(); }).what(),
              testing::HasSubstr("opset 8, expected 9 or later"));
  model_with({48, 96});
  EXPECT_THAT(test::error_of([&] { run(); }).what(),
              testing::HasSubstr("the template has F32 of shape [48, 96], the archive F32 of"));
  EXPECT_THAT(test::error_of([&] { (void)export_onnx(archive_, archive_, out_, true); }).what(),
              testing::HasSubstr("expected an ONNX model"));
  EXPECT_FALSE(std::filesystem::exists(out_));
}

}  // namespace
}  // namespace pqw
