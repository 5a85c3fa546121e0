// Nodes and initializers that are added to an ONNX model.
#pragma once

#include <onnx/onnx_pb.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "pqw/core/dtype.h"

namespace pqw {

// Values are named PREFIX and a number.
class OnnxNodes {
 public:
  using Ints = std::vector<std::int64_t>;

  OnnxNodes(std::string prefix, std::int64_t opset) : prefix_(std::move(prefix)), opset_(opset) {}

  std::int64_t opset() const { return opset_; }

  // An initializer. Equal ones are stored once.
  std::string constant(DType dtype, const Ints& shape, std::span<const std::byte> bytes);
  std::string integers(const Ints& values);  // I64 [n]

  // A node; returns the name of its output.
  std::string add(const char* op, std::initializer_list<std::string> inputs);
  std::string cast(const std::string& value, DType to);
  std::string gather(const std::string& values, const std::string& indices);  // along dimension 0
  std::string concat(std::initializer_list<std::string> values);              // along dimension 0
  std::string reshape(const std::string& value, const Ints& shape);
  std::string transpose(const std::string& value, const Ints& order);
  std::string first_columns(const std::string& value, std::int64_t n);  // of dimension 1
  std::string sum_over_dimension_1(const std::string& value);           // its size becomes 1

  // The output of the last node gets this name. REQUIRES: there is one.
  void name_last(const std::string& name);

  // The bytes of all nodes and initializers that were added and not taken yet.
  std::size_t pending_bytes() const;

  // Undoes what was added since `mark`.
  struct Mark {
    std::size_t n_nodes, n_tensors;
  };
  Mark mark() const { return {nodes_.size(), tensors_.size()}; }
  void undo(const Mark& mark);

  // What was added and not taken yet: the nodes as fields of a GraphProto, and the initializers.
  std::string take_nodes();
  std::vector<onnx::TensorProto> take_tensors();

 private:
  std::string next_name() { return prefix_ + std::to_string(n_names_++); }
  onnx::NodeProto& last() { return nodes_.back(); }

  const std::string prefix_;
  const std::int64_t opset_;
  std::size_t n_names_ = 0;
  std::vector<onnx::NodeProto> nodes_;
  std::vector<onnx::TensorProto> tensors_;
  std::map<std::array<std::byte, 32>, std::string> names_;  // of constants, by their SHA-256
};

// TensorProto.DataType. REQUIRES: a type that ONNX has.
int onnx_type(DType dtype);

}  // namespace pqw
