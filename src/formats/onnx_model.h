// An ONNX model: its graphs without the values of tensors, and its tensors.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/onnx_external.h"
#include "formats/onnx_wire.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// A tensor of a model: an initializer, the value of a Constant, or another tensor in an attribute.
struct OnnxTensor {
  TensorInfo info;
  const onnx::TensorProto* proto = nullptr;  // in OnnxModel::proto
  OnnxStored stored = {};
  std::optional<OnnxExternal> external = {};
  const onnx::GraphProto* graph = nullptr;    // that has the value; null in a function
  const onnx::NodeProto* constant = nullptr;  // the Constant that it is the value of
  std::string value = {};  // the name in the graph, if it is an initializer or a Constant
};

// Everything is checked when it is opened, as WeightReader promises. Names: an initializer has its
// own, a Constant the name of its output, another tensor NODE.ATTRIBUTE. If a tensor has that name
// already, the names of the nodes around the sub-graph come before it: "if_1.then_branch/NAME".
// Errors: kFormat, kIo, kUnsupported; kNotFound (external files).
struct OnnxModel {
  explicit OnnxModel(InputFile from);

  // As WeightReader::read. Reads raw values only once; others need three times their memory.
  std::vector<std::byte> read(const OnnxTensor& tensor) const;

  // The paths of files with external data and their sizes, in the order of the paths.
  std::map<std::string, std::uint64_t> external_files() const;

  // The index of the span of a message of `proto`.
  static std::size_t span_of(const auto& message) { return std::stoull(message.doc_string()); }

  InputFile file;
  OnnxWire wire;
  std::unique_ptr<onnx::ModelProto> proto;  // the skeleton: see OnnxWire
  std::vector<OnnxTensor> tensors;
  std::vector<std::size_t> stored_as;  // as WeightReader::stored_as: equal places in external files
  std::vector<Skipped> skipped;
};

// Calls visit(attribute, graph, index) for each graph in an attribute of the node.
template <class Visit>
void for_each_subgraph(const onnx::NodeProto& node, const Visit& visit) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) visit(attribute, attribute.g(), 0);
    for (int i = 0; i < attribute.graphs_size(); ++i) visit(attribute, attribute.graphs(i), i + 1);
  }
}

// Sets the layouts of the tensors, by the operators that use them.
void find_onnx_layouts(OnnxModel& model);

}  // namespace pqw
