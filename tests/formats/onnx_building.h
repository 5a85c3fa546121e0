// Small ONNX models, built with the classes of onnx.proto.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace pqw::test {

inline onnx::ModelProto onnx_model(int opset = 17) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("test");
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("g");
  return model;
}

inline void set_shape(onnx::TensorProto& tensor, const std::vector<std::int64_t>& shape) {
  for (const std::int64_t dim : shape) tensor.add_dims(dim);
}

// An initializer with raw values.
inline onnx::TensorProto& add_raw(onnx::GraphProto& graph, const std::string& name, int type,
                                  const std::vector<std::int64_t>& shape,
                                  const std::string& bytes) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  set_shape(tensor, shape);
  tensor.set_raw_data(bytes);
  return tensor;
}

// Floats of the values 0, 0.5, 1, ...
inline onnx::TensorProto& add_floats(onnx::GraphProto& graph, const std::string& name,
                                     const std::vector<std::int64_t>& shape) {
  std::size_t count = 1;
  for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 2;
  return add_raw(graph, name, onnx::TensorProto::FLOAT, shape,
                 {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

inline onnx::NodeProto& add_node(onnx::GraphProto& graph, const std::string& op,
                                 std::initializer_list<const char*> inputs,
                                 const std::string& output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(output + "_node");
  for (const char* input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

inline void set_int(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

inline void set_ints(onnx::NodeProto& node, const std::string& name,
                     const std::vector<std::int64_t>& values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

inline onnx::GraphProto& add_subgraph(onnx::NodeProto& node, const std::string& name) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::GRAPH);
  attribute.mutable_g()->set_name(name);
  return *attribute.mutable_g();
}

// A Constant with a tensor of floats.
inline onnx::TensorProto& add_constant(onnx::GraphProto& graph, const std::string& output,
                                       const std::vector<std::int64_t>& shape) {
  onnx::AttributeProto& attribute = *add_node(graph, "Constant", {}, output).add_attribute();
  attribute.set_name("value");
  attribute.set_type(onnx::AttributeProto::TENSOR);
  onnx::GraphProto scratch;
  *attribute.mutable_t() = add_floats(scratch, "", shape);
  return *attribute.mutable_t();
}

inline void set_external(onnx::TensorProto& tensor, const std::string& location,
                         const std::string& offset, const std::string& length) {
  tensor.clear_raw_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto add = [&](const char* key, const std::string& value) {
    auto* const entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", location);
  if (!offset.empty()) add("offset", offset);
  if (!length.empty()) add("length", length);
}

}  // namespace pqw::test
