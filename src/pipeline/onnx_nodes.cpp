// Nodes and initializers that are added to an ONNX model.
#include "pipeline/onnx_nodes.h"

#include <cassert>
#include <utility>

#include "archive/digest.h"
#include "formats/onnx_splice.h"

namespace pqw {
namespace {

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::TensorProto;

AttributeProto& add_attribute(NodeProto& node, const char* name,
                              AttributeProto::AttributeType type) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

void set_int(NodeProto& node, const char* name, std::int64_t value) {
  add_attribute(node, name, AttributeProto::INT).set_i(value);
}

void set_ints(NodeProto& node, const char* name, const OnnxNodes::Ints& values) {
  AttributeProto& attribute = add_attribute(node, name, AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

}  // namespace

int onnx_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return TensorProto::FLOAT;
    case DType::kU8:
      return TensorProto::UINT8;
    case DType::kI8:
      return TensorProto::INT8;
    case DType::kI16:
      return TensorProto::INT16;
    case DType::kI32:
      return TensorProto::INT32;
    case DType::kI64:
      return TensorProto::INT64;
    case DType::kF16:
      return TensorProto::FLOAT16;
    case DType::kF64:
      return TensorProto::DOUBLE;
    case DType::kBF16:
      return TensorProto::BFLOAT16;
    default:
      assert(false);
      return TensorProto::UNDEFINED;
  }
}

std::string OnnxNodes::constant(DType dtype, const Ints& shape, std::span<const std::byte> bytes) {
  TensorProto tensor;
  tensor.set_data_type(onnx_type(dtype));
  for (const std::int64_t dim : shape) tensor.add_dims(dim);
  tensor.set_raw_data(bytes.data(), bytes.size());
  const std::string content = tensor.SerializeAsString();
  const archive::Digest key = archive::sha256(std::as_bytes(std::span(content)));
  if (const auto found = names_.find(key); found != names_.end()) return found->second;
  tensor.set_name(next_name());
  names_[key] = tensor.name();
  tensors_.push_back(std::move(tensor));
  return tensors_.back().name();
}

std::string OnnxNodes::integers(const Ints& values) {
  return constant(DType::kI64, {static_cast<std::int64_t>(values.size())},
                  std::as_bytes(std::span(values)));
}

std::string OnnxNodes::add(const char* op, std::initializer_list<std::string> inputs) {
  NodeProto& node = nodes_.emplace_back();
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(next_name());
  return node.output(0);
}

std::string OnnxNodes::cast(const std::string& value, DType to) {
  std::string result = add("Cast", {value});
  set_int(last(), "to", onnx_type(to));
  return result;
}

std::string OnnxNodes::gather(const std::string& values, const std::string& indices) {
  return add("Gather", {values, indices});
}

std::string OnnxNodes::concat(std::initializer_list<std::string> values) {
  std::string result = add("Concat", values);
  set_int(last(), "axis", 0);
  return result;
}

std::string OnnxNodes::reshape(const std::string& value, const Ints& shape) {
  const std::string sizes = integers(shape);
  return add("Reshape", {value, sizes});
}

std::string OnnxNodes::transpose(const std::string& value, const Ints& order) {
  std::string result = add("Transpose", {value});
  set_ints(last(), "perm", order);
  return result;
}

std::string OnnxNodes::first_columns(const std::string& value, std::int64_t n) {
  constexpr std::int64_t kOperandsSince = 10;  // attributes before
  if (opset_ >= kOperandsSince) {
    const std::string zero = integers({0}), one = integers({1}), end = integers({n});
    return add("Slice", {value, zero, end, one});
  }
  std::string result = add("Slice", {value});
  set_ints(last(), "axes", {1});
  set_ints(last(), "starts", {0});
  set_ints(last(), "ends", {n});
  return result;
}

std::string OnnxNodes::sum_over_dimension_1(const std::string& value) {
  constexpr std::int64_t kOperandsSince = 13;  // `axes` is an attribute before
  if (opset_ >= kOperandsSince) return add("ReduceSum", {value, integers({1})});
  std::string result = add("ReduceSum", {value});
  set_ints(last(), "axes", {1});
  return result;
}

void OnnxNodes::name_last(const std::string& name) { last().set_output(0, name); }

std::size_t OnnxNodes::pending_bytes() const {
  std::size_t bytes = 0;
  for (const NodeProto& node : nodes_) bytes += node.ByteSizeLong();
  for (const TensorProto& tensor : tensors_) bytes += tensor.ByteSizeLong();
  return bytes;
}

void OnnxNodes::undo(const Mark& mark) {
  nodes_.resize(mark.n_nodes);
  for (std::size_t i = mark.n_tensors; i < tensors_.size(); ++i) {
    std::erase_if(names_, [&](const auto& item) { return item.second == tensors_[i].name(); });
  }
  tensors_.resize(mark.n_tensors);
}

std::string OnnxNodes::take_nodes() {
  std::string fields;
  for (const NodeProto& node : std::exchange(nodes_, {})) {
    fields += protobuf_field(onnx::GraphProto::kNodeFieldNumber, node);
  }
  return fields;
}

std::vector<TensorProto> OnnxNodes::take_tensors() { return std::exchange(tensors_, {}); }

}  // namespace pqw
