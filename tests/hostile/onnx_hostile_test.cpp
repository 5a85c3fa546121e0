// Malformed and hostile ONNX models are refused with one line of error, or read for what they are.
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "formats/formats.h"
#include "tests/formats/file_testing.h"
#include "tests/formats/onnx_building.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using onnx::GraphProto;
using onnx::ModelProto;
using onnx::TensorProto;
using test::BadFile;

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

std::string field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}

// A model of which the graph has that content.
std::string with_graph(const std::string& graph) {
  return "\x08\x08" + field(2, "test") + field(7, graph);
}

std::string with_tensor(const std::string& tensor) { return with_graph(field(5, tensor)); }

// A model with a tensor "w" of two floats, after `change`.
std::string changed(const std::function<void(TensorProto&)>& change) {
  ModelProto model = test::onnx_model();
  change(test::add_floats(*model.mutable_graph(), "w", {2}));
  return model.SerializeAsString();
}

std::string without_values(const std::function<void(TensorProto&)>& change) {
  return changed([&](TensorProto& tensor) {
    tensor.clear_raw_data();
    change(tensor);
  });
}

std::string in_file(const std::string& location, const std::string& offset = "",
                    const std::string& length = "") {
  return changed([&](TensorProto& t) { test::set_external(t, location, offset, length); });
}

std::string nested_graphs(int depth) {
  std::string graph;
  for (int i = 0; i < depth; ++i) graph = field(1, field(5, field(6, graph)));
  return with_graph(graph);
}

const std::string kTensorHead = "\x08\x02\x10\x01";  // dims: 2, data_type: FLOAT

const BadFile kBadFiles[] = {
    {"NoGraph", "\x08\x08" + field(2, "test") + field(8, "\x10\x11"), ErrorCode::kFormat,
     "an ONNX model without a graph"},
    {"GraphLongerThanTheFile", "\x08\x08" + field(2, "test") + "\x3a\x64", ErrorCode::kFormat,
     "a field is longer than its message at byte 8"},
    {"GraphOf4GiB", "\x08\x08" + field(2, "test") + "\x3a\xff\xff\xff\xff\x0f", ErrorCode::kFormat,
     "a field is longer than its message"},
    {"LengthOf64Bits", with_graph("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
     ErrorCode::kFormat, "a field is longer than its message"},
    {"LengthOf11Bytes", with_graph("\x2a" + std::string(11, '\xff')), ErrorCode::kFormat,
     "a number is cut off or too long"},
    {"NumberCutOff", with_graph("\x08\xff"), ErrorCode::kFormat, "a number is cut off"},
    {"TensorLongerThanItsGraph", with_graph("\x2a\x7f\x08\x02"), ErrorCode::kFormat,
     "a field is longer than its message"},
    {"RawDataLongerThanItsTensor", with_tensor(kTensorHead + "\x4a\x70"), ErrorCode::kFormat,
     "a field is longer than its message"},
    {"FieldZero", with_graph(std::string("\x02\x00", 2)), ErrorCode::kFormat, "an invalid tag"},
    {"FieldBeyond29Bits", with_graph("\x82\x80\x80\x80\x10\x01"), ErrorCode::kFormat,
     "an invalid tag"},
    {"GroupsOfProtobuf1", with_graph("\x0b\x0c"), ErrorCode::kFormat, "an unknown wire type"},
    {"WireType7", with_graph("\x0f"), ErrorCode::kFormat, "an unknown wire type"},
    {"FixedCutOff", with_graph("\x0d\x01\x02"), ErrorCode::kFormat,
     "a field is longer than its message"},
    {"TwoGraphs", "\x08\x08" + field(2, "test") + field(7, "") + field(7, ""), ErrorCode::kFormat,
     "a field that may occur once occurs twice"},
    {"RawDataTwice", with_tensor(kTensorHead + field(9, "12345678") + field(9, "12345678")),
     ErrorCode::kFormat, "raw_data occurs twice"},
    {"FloatsCutOff", with_tensor(kTensorHead + field(4, "1234567")), ErrorCode::kFormat,
     "values that are cut off"},
    {"FloatsOfTheWrongWireType", with_tensor(kTensorHead + "\x20\x01"), ErrorCode::kFormat,
     "values of the wrong wire type"},
    {"ValuesInTwoFields", with_tensor(kTensorHead + field(4, "12345678") + field(5, "\x01\x02")),
     ErrorCode::kFormat, "a tensor with values in two fields"},
    {"GraphsNested100Times", nested_graphs(100), ErrorCode::kFormat,
     "messages are nested more than 64 deep"},
    {"GraphsNested10000Times", nested_graphs(10'000), ErrorCode::kFormat,
     "messages are nested more than 64 deep"},
    {"NegativeDimension", changed([](TensorProto& t) { t.set_dims(0, -2); }), ErrorCode::kFormat,
     "tensor 'w': dimension -2"},
    {"ShapeBeyond63Bits", changed([](TensorProto& t) {
       for (int i = 0; i < 4; ++i) t.add_dims(INT64_MAX);
     }),
     ErrorCode::kFormat, "is too large"},
    {"ShapeOf32Exabytes", changed([](TensorProto& t) { t.set_dims(0, INT64_MAX); }),
     ErrorCode::kFormat, "is too large"},
    {"TooFewBytes", changed([](TensorProto& t) { t.set_dims(0, 3); }), ErrorCode::kFormat,
     "8 bytes stored, shape [3] of F32 needs 12"},
    {"TooManyBytes", changed([](TensorProto& t) { t.set_dims(0, 1); }), ErrorCode::kFormat,
     "8 bytes stored, shape [1] of F32 needs 4"},
    {"TooFewFloats", without_values([](TensorProto& t) { t.add_float_data(1); }),
     ErrorCode::kFormat, "1 values stored, shape [2] of F32 needs 2"},
    {"NoValues", without_values([](TensorProto&) {}), ErrorCode::kFormat,
     "0 values stored, shape [2] of F32 needs 2"},
    {"ValuesInTheFieldOfAnotherType", without_values([](TensorProto& t) {
       t.add_int64_data(1);
       t.add_int64_data(1);
     }),
     ErrorCode::kFormat, "values of F32 in field 7 of the tensor, expected field 4"},
    {"RawAndTypedValues", changed([](TensorProto& t) { t.add_float_data(1); }), ErrorCode::kFormat,
     "values in raw_data and in another field"},
    {"UnknownDataType", changed([](TensorProto& t) { t.set_data_type(99); }),
     ErrorCode::kUnsupported, "data type 99"},
    {"Segments", changed([](TensorProto& t) { t.mutable_segment()->set_begin(0); }),
     ErrorCode::kUnsupported, "is stored in segments"},
    {"ExternalWithValues",
     changed([](TensorProto& t) { t.set_data_location(TensorProto::EXTERNAL); }),
     ErrorCode::kFormat, "values in the model and in an external file"},
    {"ExternalWithoutLocation",
     without_values([](TensorProto& t) { t.set_data_location(TensorProto::EXTERNAL); }),
     ErrorCode::kFormat, "external data without a location"},
    {"ExternalAbsolute", in_file("/etc/passwd"), ErrorCode::kFormat,
     "expected a file in the folder of the model"},
    {"ExternalAbove", in_file("../w.data"), ErrorCode::kFormat,
     "expected a file in the folder of the model"},
    {"ExternalAboveInTheMiddle", in_file("a/../../w.data"), ErrorCode::kFormat,
     "expected a file in the folder of the model"},
    {"ExternalWithZeroByte", in_file(std::string("w\0.data", 7)), ErrorCode::kFormat,
     "expected a file in the folder of the model"},
    {"ExternalMissing", in_file("w.data"), ErrorCode::kNotFound, "No such file"},
    {"ExternalIsTheFolder", in_file("."), ErrorCode::kFormat, "not a regular file"},
    {"ExternalOffsetIsNoNumber", in_file("file", "4x"), ErrorCode::kFormat,
     "external data with offset '4x', expected a number"},
    {"ExternalNegativeLength", in_file("file", "0", "-8"), ErrorCode::kFormat,
     "external data with length '-8', expected a number"},
    {"ExternalLengthOfAnotherShape", in_file("file", "0", "9"), ErrorCode::kFormat,
     "external data of 9 bytes, its type and shape need 8"},
    {"ExternalBeyondItsFile", in_file("file", "18446744073709551615"), ErrorCode::kFormat,
     "external data at byte 18446744073709551615 of 'file'"},
};

class OnnxHostile : public testing::TestWithParam<BadFile> {};
TEST_P(OnnxHostile, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, OnnxHostile, testing::ValuesIn(kBadFiles), test::kind_of);

TEST(OnnxLinks, OutOfTheFolderAreRefused) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "model");
  test::set_content(dir / "secret", "12345678");
  std::filesystem::create_symlink(dir / "secret", dir / "model/w.data");
  test::set_content(dir / "model/m.onnx", in_file("w.data"));
  const auto error = test::error_of_reading(dir / "model/m.onnx");
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), testing::HasSubstr("a link out of the folder of the model"));
  // A folder of which the name starts with the folder's is another one.
  std::filesystem::create_directory(dir / "model2");
  test::set_content(dir / "model2/w.data", "12345678");
  std::filesystem::remove(dir / "model/w.data");
  std::filesystem::create_symlink(dir / "model2/w.data", dir / "model/w.data");
  EXPECT_TRUE(test::error_of_reading(dir / "model/m.onnx"));
  // Links within the folder are followed.
  std::filesystem::remove(dir / "model/w.data");
  test::set_content(dir / "model/real.data", "12345678");
  std::filesystem::create_symlink(dir / "model/real.data", dir / "model/w.data");
  EXPECT_FALSE(test::error_of_reading(dir / "model/m.onnx"));
}

// 10,000 tensors of the same megabyte, but at different places, are more than their file can mean.
TEST(OnnxBomb, ManyTensorsOfOneExternalFileAreRefused) {
  const test::TempDir dir;
  test::set_content(dir / "w.data", std::string((1 << 20) + 40'000, '\0'));
  ModelProto model = test::onnx_model();
  for (int i = 0; i < 10'000; ++i) {
    TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name("w" + std::to_string(i));
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.add_dims(1 << 18);
    test::set_external(tensor, "w.data", std::to_string(i * 4), "");
  }
  test::set_content(dir / "m.onnx", model.SerializeAsString());
  const auto error = test::error_of([&] { (void)open_weights(dir / "m.onnx"); });
  EXPECT_THAT(error.what(), testing::HasSubstr("are many times larger than this file"));
}

// Each node passes its operand on to all that follow: 10^9 ways through the graph.
TEST(OnnxBomb, GraphsWithManyWaysAreFollowedOnlyForAWhile) {
  const test::TempDir dir;
  ModelProto model = test::onnx_model();
  GraphProto& graph = *model.mutable_graph();
  test::add_floats(graph, "w", {2, 3});
  std::string from = "w";
  for (int level = 0; level < 9; ++level) {
    for (int i = 0; i < 10; ++i) {
      test::add_node(graph, "Identity", {from.c_str()}, "v" + std::to_string(level));
    }
    from = "v" + std::to_string(level);
  }
  test::set_content(dir / "m.onnx", model.SerializeAsString());
  EXPECT_EQ(open_weights(dir / "m.onnx")->tensors().at(0).layout, Layout());
}

// Whatever bytes of a model are cut off or changed, the answer is a result or an error.
TEST(OnnxDamage, IsAnErrorOrAResult) {
  const test::TempDir dir;
  ModelProto model = test::onnx_model();
  test::add_floats(*model.mutable_graph(), "w", {2, 3});
  test::add_constant(*model.mutable_graph(), "c", {2});
  test::add_node(*model.mutable_graph(), "MatMul", {"x", "w"}, "y");
  const std::string whole = model.SerializeAsString();
  std::size_t n_errors = 0;
  for (std::size_t i = 1; i < whole.size(); ++i) {
    test::set_content(dir / "cut.onnx", whole.substr(0, i));
    n_errors += test::error_of_reading(dir / "cut.onnx").has_value();
    for (const char bit : {'\x01', '\x80', '\xff'}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ bit);
      test::set_content(dir / "damaged.onnx", damaged);
      n_errors += test::error_of_reading(dir / "damaged.onnx").has_value();
    }
  }
  EXPECT_GT(n_errors, whole.size());
}

}  // namespace
}  // namespace pqw
