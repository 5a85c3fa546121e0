// The values of the graphs of an ONNX model, and the nodes that use them.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/onnx_model.h"

namespace pqw {

struct OnnxUse {
  const onnx::NodeProto* node = nullptr;
  int input = 0;
  const onnx::GraphProto* graph = nullptr;  // of the node
};

struct OnnxValue {
  std::vector<OnnxUse> uses;       // in the order of the graphs
  std::size_t tensor = kNoTensor;  // index in OnnxModel::tensors, if it is one
  bool is_output = false;          // of a graph
};

// The nodes of a sub-graph see the values of the graphs around it. Lives no longer than the model.
class OnnxUses {
 public:
  explicit OnnxUses(const OnnxModel& model);

  // The value that the name means in a graph; null if nothing defines it.
  const OnnxValue* find(const onnx::GraphProto* graph, std::string_view name) const;

  // Whether the name of a value starts so.
  bool has_prefix(std::string_view prefix) const;

 private:
  struct Scope {
    Scope* around = nullptr;
    std::unordered_map<std::string_view, OnnxValue> values;
  };

  void add(const onnx::GraphProto& graph, Scope* around);
  static OnnxValue* find(Scope* scope, std::string_view name);

  std::unordered_map<const onnx::GraphProto*, std::unique_ptr<Scope>> scopes_;
};

// Attributes of a node, or the value given if there are none.
std::int64_t int_attribute(const onnx::NodeProto& node, std::string_view name, std::int64_t other);
std::vector<std::int64_t> ints_attribute(const onnx::NodeProto& node, std::string_view name);

// Whether the operator is of ONNX itself or of onnxruntime, which extends it.
bool is_known_domain(const onnx::NodeProto& node);

}  // namespace pqw
