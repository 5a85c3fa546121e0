// Copies of ONNX models with other values.
#include <filesystem>

#include "formats/formats.h"
#include "tests/formats/file_testing.h"
#include "tests/formats/onnx_building.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using onnx::ModelProto;
using onnx::TensorProto;

class OnnxCopying : public testing::Test {
 protected:
  void write(const ModelProto& model) const { test::set_content(path_, model.SerializeAsString()); }

  // Copies with these values, given as text, for the tensors of these names.
  void copy(const std::vector<std::pair<std::string, std::string>>& values,
            bool overwrite = false) const {
    std::vector<TensorInfo> infos;
    const auto reader = open_weights(path_);
    for (const auto& [name, bytes] : values) {
      for (const TensorInfo& info : reader->tensors()) {
        if (info.name == name) infos.push_back(info);
      }
    }
    const CopyWriter copy = create_copy(path_, out_, infos, {}, {.overwrite = overwrite});
    for (const auto& [name, bytes] : values) copy.writer->add(test::bytes_of(bytes));
    copy.writer->commit();
  }

  ModelProto result() const {
    ModelProto model;
    EXPECT_TRUE(model.ParseFromString(test::content(out_)));
    return model;
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "model.onnx", out_ = dir_ / "out.onnx";
  const std::string two_ = test::little_endian<float>({7, 8});
};

TEST_F(OnnxCopying, RawValuesAreReplacedInPlace) {
  ModelProto model = test::onnx_model();
  test::add_floats(*model.mutable_graph(), "a", {2}).set_doc_string("kept");
  test::add_constant(*model.mutable_graph(), "c", {2});
  test::add_floats(*model.mutable_graph(), "b", {300});
  write(model);
  copy({{"c", two_}, {"a", two_}});
  model.mutable_graph()->mutable_initializer(0)->set_raw_data(two_);
  model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_t()->set_raw_data(two_);
  EXPECT_EQ(test::content(out_), model.SerializeAsString());
}

// 100 halves as numbers of three bytes take more space than as raw_data: the lengths of the
// messages around them become shorter by a byte.
TEST_F(OnnxCopying, OtherFieldsBecomeRawDataAndLengthsFollow) {
  ModelProto model = test::onnx_model();
  onnx::NodeProto& node = test::add_node(*model.mutable_graph(), "If", {"x"}, "y");
  TensorProto& tensor = *test::add_subgraph(node, "then_branch").add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::FLOAT16);
  tensor.add_dims(50);
  for (int i = 0; i < 50; ++i) tensor.add_int32_data(0xbc00);
  test::add_floats(*model.mutable_graph(), "b", {2});
  write(model);
  const std::string halves(100, '\x3c');
  copy({{"w", halves}});
  tensor.clear_int32_data();
  tensor.set_raw_data(halves);
  EXPECT_EQ(test::content(out_), model.SerializeAsString());
}

TEST_F(OnnxCopying, IntegersInOtherFieldsStayAsTheyAre) {
  ModelProto model = test::onnx_model();
  TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name("shape");
  tensor.set_data_type(TensorProto::INT64);
  tensor.add_dims(1);
  tensor.add_int64_data(-1);
  write(model);
  copy({{"shape", std::string(8, '\xff')}});
  EXPECT_EQ(test::content(out_), test::content(path_));
  const Error error = test::error_of([&] { copy({{"shape", std::string(8, '\0')}}, true); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(), testing::HasSubstr("its integers are not those of the template"));
}

TEST_F(OnnxCopying, ExternalDataGoesToAFileBesideTheOutput) {
  ModelProto model = test::onnx_model();
  for (const char* name : {"a", "b", "tied"}) {
    test::set_external(test::add_floats(*model.mutable_graph(), name, {2}), "w.bin",
                       name == std::string("b") ? "8" : "0", "8");
  }
  test::set_content(dir_ / "w.bin", test::little_endian<float>({1, 2, 3, 4}));
  write(model);
  copy({{"a", two_}, {"tied", two_}});
  const auto entry = [&](int tensor, int i) {
    return result().graph().initializer(tensor).external_data(i).value();
  };
  EXPECT_EQ(entry(0, 0), "out.onnx.data");
  EXPECT_EQ(entry(0, 1), "0");
  EXPECT_EQ(entry(1, 1), "4096");
  EXPECT_EQ(entry(2, 1), "0") << "tied tensors share their bytes";
  EXPECT_EQ(entry(2, 2), "8");
  EXPECT_EQ(std::filesystem::file_size(out_ + ".data"), 4104u);
  const auto tensors = test::read_all(out_);
  EXPECT_EQ(tensors.at(0).bytes, two_);
  EXPECT_EQ(tensors.at(1).bytes, test::little_endian<float>({3, 4})) << "kept";
  EXPECT_EQ(test::content(dir_ / "w.bin"), test::little_endian<float>({1, 2, 3, 4}));
}

TEST_F(OnnxCopying, ExternalFilesOfTheOriginalAreNotOverwritten) {
  for (const std::string name : {"out.onnx.data", "out.onnx", "out.onnx.pqw.tmp"}) {
    ModelProto model = test::onnx_model();
    test::set_external(test::add_floats(*model.mutable_graph(), "a", {2}), name, "", "");
    test::set_content(dir_ / name, two_);
    write(model);
    const Error error = test::error_of([&] { copy({{"a", two_}}, true); });
    EXPECT_THAT(error.what(), testing::HasSubstr("input and output are the same file"));
    EXPECT_EQ(test::content(dir_ / name), two_);
    std::filesystem::remove(dir_ / name);
  }
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(OnnxCopying, ModelsAreNotWrittenFromNothing) {
  const Error error = test::error_of([&] { (void)create_weights(out_, {}); });
  EXPECT_EQ(error.what(), out_ +
                              ": an ONNX model is only written as a copy of one: name the "
                              "original with --template");
}

TEST_F(OnnxCopying, ExistingDataFileIsKeptWithoutOverwrite) {
  ModelProto model = test::onnx_model();
  test::set_external(test::add_floats(*model.mutable_graph(), "a", {2}), "w.bin", "", "");
  test::set_content(dir_ / "w.bin", two_);
  test::set_content(out_ + ".data", "mine");
  write(model);
  EXPECT_EQ(test::error_of([&] { copy({{"a", two_}}); }).code(), ErrorCode::kExists);
  EXPECT_EQ(test::content(out_ + ".data"), "mine");
  EXPECT_FALSE(std::filesystem::exists(out_));
}

}  // namespace
}  // namespace pqw
