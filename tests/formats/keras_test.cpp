// Keras' HDF5 files: layouts, attributes, copies.
#include <filesystem>

#include "formats/formats.h"
#include "tests/formats/file_testing.h"
#include "tests/formats/keras_testing.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using test::content;
using test::error_of;
using test::KerasFile;
using testing::HasSubstr;
using testing::IsEmpty;

// {"class_name": CLASS, "config": {"name": NAME}} for each pair.
std::string config_of(const std::vector<std::pair<std::string, std::string>>& layers) {
  std::string list;
  for (const auto& [name, class_name] : layers) {
    list += (list.empty() ? "" : ",") +
            (R"({"class_name":")" + class_name + R"(","config":{"name":")" + name + R"("}})");
  }
  return R"({"class_name":"Sequential","config":{"name":"sequential","layers":[)" + list + "]}}";
}

Layout layout_in(const WeightReader& reader, const std::string& name) {
  for (const TensorInfo& info : reader.tensors()) {
    if (info.name == name) return info.layout;
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

class Keras : public testing::Test {
 protected:
  const test::TempDir dir_;
  const std::string path_ = dir_ / "m.h5";
};

TEST_F(Keras, ClassesOfLayersTellLayouts) {
  {
    KerasFile file(path_);
    file.text("", "keras_version", "2.15.0");
    file.text("", "model_config",
              config_of({{"top", "Dense"},
                         {"a", "Conv2D"},
                         {"b", "DepthwiseConv2D"},
                         {"up", "Conv2DTranspose"},
                         {"words", "Embedding"},
                         {"x", "SeparableConv2D"},
                         {"rnn", "LSTM"},
                         {"odd", "MyLayer"}}));
    for (const auto& dataset : std::vector<test::KerasDataset>{
             {"model_weights/top/top/kernel:0", {6, 4}},
             {"model_weights/a/a/kernel:0", {3, 3, 4, 8}},
             {"model_weights/b/b/depthwise_kernel:0", {3, 3, 4, 2}},
             {"model_weights/up/up/kernel:0", {3, 3, 8, 4}},
             {"model_weights/words/words/embeddings:0", {9, 4}},
             {"model_weights/x/x/depthwise_kernel:0", {3, 3, 4, 1}},
             {"model_weights/x/x/pointwise_kernel:0", {1, 1, 4, 8}},
             {"model_weights/rnn/rnn/lstm_cell/kernel:0", {4, 16}},
             {"model_weights/rnn/rnn/lstm_cell/recurrent_kernel:0", {4, 16}},
             {"model_weights/gru/gru/gru_cell/bias:0", {2, 12}},
             {"model_weights/odd/odd/table:0", {2, 12}},
             {"optimizer_weights/Adam/m/top/kernel:0", {6, 4}}}) {
      file.add(dataset);
    }
  }
  const auto reader = open_weights(path_);
  const auto layout = [&](const std::string& name) {
    return layout_in(*reader, "model_weights/" + name);
  };
  EXPECT_EQ(layout("top/top/kernel:0"), (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_THAT(layout("top/top/kernel:0").ambiguous, IsEmpty());
  EXPECT_EQ(layout("a/a/kernel:0"), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout("b/b/depthwise_kernel:0"), (Layout{Kind::kDepthwise, {2, 3, 0, 1}}));
  EXPECT_EQ(layout("up/up/kernel:0"), (Layout{Kind::kTransposedConv, {2, 3, 0, 1}}));
  EXPECT_EQ(layout("words/words/embeddings:0"), (Layout{Kind::kEmbedding}));
  EXPECT_EQ(layout("x/x/depthwise_kernel:0"), (Layout{Kind::kDepthwise, {2, 3, 0, 1}}));
  EXPECT_EQ(layout("x/x/pointwise_kernel:0"), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout("rnn/rnn/lstm_cell/kernel:0"), (Layout{Kind::kRecurrent, {1, 0}}));
  EXPECT_EQ(layout("rnn/rnn/lstm_cell/recurrent_kernel:0"), (Layout{Kind::kRecurrent, {1, 0}}));
  EXPECT_EQ(layout("gru/gru/gru_cell/bias:0"), (Layout{Kind::kOther})) << "by its default name";
  EXPECT_EQ(layout("odd/odd/table:0"), (Layout{}));
  EXPECT_EQ(layout_in(*reader, "optimizer_weights/Adam/m/top/kernel:0"), (Layout{Kind::kOther}));
}

TEST_F(Keras, Version3CountsTheVariablesOfLayers) {
  {
    KerasFile file(path_);
    for (const auto& dataset : std::vector<test::KerasDataset>{
             {"layers/dense/vars/0", {6, 4}},
             {"layers/conv1d_2/vars/0", {3, 4, 8}},
             {"layers/separable_conv2d/vars/0", {3, 3, 4, 1}},
             {"layers/separable_conv2d/vars/1", {1, 1, 4, 8}},
             {"layers/bidirectional/forward_layer/cell/vars/1", {4, 16}},
             {"layers/multi_head_attention/query_dense/vars/0", {16, 2, 8}},
             {"layers/multi_head_attention/output_dense/vars/0", {2, 8, 16}},
             {"layers/einsum_dense/vars/0", {2, 8, 16}},
             {"layers/gru/cell/vars/2", {2, 12}},
             {"optimizer/vars/1", {6, 4}}}) {
      file.add(dataset);
    }
  }
  const auto reader = open_weights(path_);
  const auto layout = [&](const std::string& name) { return layout_in(*reader, name); };
  EXPECT_EQ(layout("layers/dense/vars/0"), (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(layout("layers/conv1d_2/vars/0"), (Layout{Kind::kConv, {2, 1, 0}}));
  EXPECT_EQ(layout("layers/separable_conv2d/vars/0"), (Layout{Kind::kDepthwise, {2, 3, 0, 1}}));
  EXPECT_EQ(layout("layers/separable_conv2d/vars/1"), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  EXPECT_EQ(layout("layers/bidirectional/forward_layer/cell/vars/1"),
            (Layout{Kind::kRecurrent, {1, 0}}));
  EXPECT_EQ(layout("layers/multi_head_attention/query_dense/vars/0"),
            (Layout{Kind::kLinear, {1, 2, 0}}));
  EXPECT_EQ(layout("layers/multi_head_attention/output_dense/vars/0"),
            (Layout{Kind::kLinear, {2, 0, 1}}));
  EXPECT_THAT(layout("layers/einsum_dense/vars/0").ambiguous, HasSubstr("EinsumDense"));
  EXPECT_EQ(layout("layers/gru/cell/vars/2"), (Layout{Kind::kOther}));
  EXPECT_EQ(layout("optimizer/vars/1"), (Layout{Kind::kOther}));
}

TEST_F(Keras, TheEquationOfEinsumDenseTellsItsInputs) {
  struct Case {
    std::string equation;
    std::vector<std::size_t> shape, axes;  // no axes: not told
  };
  const std::vector<Case> cases = {
      {"...x,xyz->...yz", {4, 2, 8}, {1, 2, 0}},  // attention: inputs x
      {"abcd,cde->abe", {2, 8, 4}, {2, 0, 1}},    // inputs c, d
      {"ab,cb->ac", {4, 8}, {}},                  // [out, in], as canonical tensors
      {"ab,bc->ac", {8, 4}, {1, 0}},
      {"bhd,hde->bhe", {2, 8, 4}, {0, 2, 1}},  // a matrix for each h
      {"ab,bc->ac", {8, 4, 2}, {}},
      {"ab,cd->abcd", {8, 4}, {}},
      {"ab->ac,bc", {8, 4}, {}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto& [equation, shape, axes] = cases[i];
    {
      KerasFile file(path_);
      file.text("", "model_config",
                R"({"class_name":"EinsumDense","config":{"name":"mix","equation":")" + equation +
                    R"("}})");
      file.add({"model_weights/mix/kernel:0", {shape.begin(), shape.end()}});
    }
    const Layout layout = layout_in(*open_weights(path_), "model_weights/mix/kernel:0");
    EXPECT_EQ(layout.axes, axes) << equation;
    const bool is_told = !axes.empty() || equation == "ab,cb->ac";
    EXPECT_EQ(layout.kind, is_told ? Kind::kLinear : Kind::kUnknown) << equation;
    EXPECT_EQ(layout.ambiguous.empty(), is_told) << equation;
  }
}

TEST_F(Keras, ABrokenConfigIsNoneAtAll) {
  for (const std::string& config :
       {std::string("{"), std::string("[1,2]"), std::string(100000, '['),
        std::string(R"({"class_name":1,"config":{"name":{}}})")}) {
    {
      KerasFile file(path_);
      file.text("", "model_config", config);
      file.add({"model_weights/dense/kernel:0", {6, 4}});
    }
    EXPECT_EQ(layout_in(*open_weights(path_), "model_weights/dense/kernel:0"),
              (Layout{Kind::kLinear, {1, 0}}));
  }
}

TEST_F(Keras, AttributesOfGroupsAreCarried) {
  const std::string config(100000, 'c');
  {
    KerasFile file(path_);
    file.text("", "model_config", config);
    file.text("", "backend", "tensorflow");
    file.group("model_weights");
    file.texts("model_weights", "layer_names", {"dense", "dropout"});
    file.group("model_weights/dense");
    file.texts("model_weights/dense", "weight_names", {"dense/kernel:0"});
    file.group("model_weights/dropout");
    file.empty_list("model_weights/dropout", "weight_names");
    file.add({"model_weights/dense/dense/kernel:0", {6, 4}});
  }
  const Metadata expected = {{"model_config", config},
                             {"backend", "tensorflow"},
                             {"hdf5:model_weights@layer_names[]", R"(["dense","dropout"])"},
                             {"hdf5:model_weights/dense@weight_names[]", R"(["dense/kernel:0"])"},
                             {"hdf5:model_weights/dropout@weight_names[]", "[]"}};
  for (const bool trusted : {false, true}) {
    const auto reader = open_weights(path_, {.trusted = trusted});
    EXPECT_EQ(reader->metadata(), expected);
    const auto writer =
        create_weights(dir_ / "d.h5", reader->tensors(), reader->metadata(), {.overwrite = true});
    writer->add(reader->read(0));
    writer->commit();
    EXPECT_EQ(open_weights(dir_ / "d.h5")->metadata(), expected);
  }
}

TEST_F(Keras, KeysOfMetadataThatAreNoAttributesOfGroupsStayKeys) {
  const Metadata metadata = {
      {"hdf5:x", "1"}, {"a@b", "2"}, {"hdf5:g@l[]", "no list"}, {"hdf5:g@m[]", "[1]"}};
  test::write_all(path_, {test::counting("a", DType::kU8, {1})}, metadata);
  const Metadata read = open_weights(path_)->metadata();
  EXPECT_EQ(read.at("a@b"), "2");
  EXPECT_EQ(read.size(), 4u);
}

// ---- Copies

// A copy of the file in which that tensor has these values.
void copy(const std::string& original, const std::string& path, const TensorInfo& info,
          const std::vector<float>& values) {
  const CopyWriter made = create_copy(original, path, {info}, {}, {.overwrite = true});
  made.writer->add(std::as_bytes(std::span(values)));
  made.writer->commit();
}

TEST_F(Keras, CopiesDifferInTheReplacedValuesOnly) {
  {
    KerasFile file(path_);
    file.text("", "model_config", config_of({{"top", "Dense"}}));
    file.add({"model_weights/top/kernel:0", {6, 4}, H5T_IEEE_F32LE, 1000});
    file.add({"model_weights/top/bias:0", {4}, H5T_IEEE_F32LE, 2000});
  }
  std::vector<float> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = -static_cast<float>(i);
  copy(path_, dir_ / "c.h5", {"model_weights/top/kernel:0", DType::kF32, {6, 4}}, values);
  std::string expected = content(path_);
  std::vector<float> old(24);
  for (std::size_t i = 0; i < old.size(); ++i) old[i] = 1000 + static_cast<float>(i);
  const std::string before(reinterpret_cast<const char*>(old.data()), 96);
  ASSERT_NE(expected.find(before), std::string::npos);
  expected.replace(expected.find(before), 96, reinterpret_cast<const char*>(values.data()), 96);
  EXPECT_EQ(content(dir_ / "c.h5"), expected);
}

TEST_F(Keras, CopiesReplaceValuesInChunksAndInTheOtherByteOrder) {
  {
    KerasFile file(path_);
    file.add({"chunks", {5, 7}, H5T_IEEE_F32LE, 0, {2, 3}});
    file.add({"big", {3, 2}, H5T_IEEE_F32BE});
    file.add({"cube", {3, 4, 5}, H5T_IEEE_F32LE, 0, {2, 4, 2}});
  }
  const std::vector<TensorInfo> tensors = open_weights(path_)->tensors();
  for (const TensorInfo& info : tensors) {
    std::vector<float> values(element_count(info.shape));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.5f - static_cast<float>(i * i);
    copy(path_, dir_ / "c.h5", info, values);
    const auto original = open_weights(path_), copied = open_weights(dir_ / "c.h5");
    for (std::size_t i = 0; i < original->tensors().size(); ++i) {
      const bool is_new = original->tensors()[i].name == info.name;
      EXPECT_EQ(test::text_of(copied->read(i)),
                is_new ? std::string(reinterpret_cast<const char*>(values.data()),
                                     values.size() * sizeof(float))
                       : test::text_of(original->read(i)))
          << info.name;
    }
    EXPECT_EQ(std::filesystem::file_size(path_), std::filesystem::file_size(dir_ / "c.h5"));
  }
}

TEST_F(Keras, PackedChunksCannotBeReplaced) {
  {
    KerasFile file(path_);
    file.add({"packed", {6, 4}, H5T_IEEE_F32LE, 0, {6, 4}, true});
    file.add({"plain", {6, 4}});
  }
  const std::vector<float> values(24);
  const Error error = error_of([&] {
    copy(path_, dir_ / "c.h5", {"packed", DType::kF32, {6, 4}}, values);
  });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("tensor 'packed'"));
  EXPECT_THAT(error.what(), HasSubstr("h5repack -f NONE"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "c.h5"));
  EXPECT_NO_THROW(copy(path_, dir_ / "c.h5", {"plain", DType::kF32, {6, 4}}, values));
}

}  // namespace
}  // namespace pqw
