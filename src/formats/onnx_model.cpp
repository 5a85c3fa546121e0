// An ONNX model: its graphs without the values of tensors, and its tensors.
#include "formats/onnx_model.h"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "core/subject.h"
#include "formats/expansion.h"
#include "formats/onnx_tensor.h"

namespace pqw {
namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::NodeProto;
using onnx::TensorProto;

// "NAME", or "OUTPUT" of a node without a name.
std::string label_of(const NodeProto& node) {
  if (!node.name().empty()) return node.name();
  for (const std::string& output : node.output()) {
    if (!output.empty()) return output;
  }
  return node.op_type();
}

std::string numbered(const std::string& name, int number) {
  return number == 0 ? name : fmt::format("{}.{}", name, number);
}

// Lists the tensors of a model in the order of its graphs.
class Collector {
 public:
  explicit Collector(OnnxModel& model) : model_(model) {}

  void run() {
    const onnx::ModelProto& proto = *model_.proto;
    graph(proto.graph(), "");
    for (int i = 0; i < proto.training_info_size(); ++i) {
      const std::string path = fmt::format("training_info.{}", i);
      graph(proto.training_info(i).initialization(), path + ".initialization/");
      graph(proto.training_info(i).algorithm(), path + ".algorithm/");
    }
    for (const onnx::FunctionProto& function : proto.functions()) {
      for (const NodeProto& n : function.node()) node(n, nullptr, function.name() + "/");
    }
  }

 private:
  void graph(const GraphProto& graph, const std::string& path) {
    for (const TensorProto& tensor : graph.initializer()) {
      add(tensor, tensor.name(), path, &graph, nullptr, tensor.name());
    }
    for (const auto& sparse : graph.sparse_initializer()) add_sparse(sparse, "", path, &graph);
    for (const NodeProto& n : graph.node()) node(n, &graph, path);
  }

  void node(const NodeProto& node, const GraphProto* in, const std::string& path) {
    const bool is_constant = node.op_type() == "Constant" && node.output_size() == 1;
    for (const AttributeProto& attribute : node.attribute()) {
      const std::string name = label_of(node) + "." + attribute.name();
      if (attribute.has_t()) {
        const bool is_value = is_constant && attribute.name() == "value";
        add(attribute.t(), is_value ? node.output(0) : name, path, in, is_value ? &node : nullptr,
            is_value ? node.output(0) : "");
      }
      for (int i = 0; i < attribute.tensors_size(); ++i) {
        add(attribute.tensors(i), numbered(name, i + 1), path, in, nullptr, "");
      }
      if (attribute.has_sparse_tensor()) add_sparse(attribute.sparse_tensor(), name, path, in);
      for (int i = 0; i < attribute.sparse_tensors_size(); ++i) {
        add_sparse(attribute.sparse_tensors(i), numbered(name, i + 1), path, in);
      }
    }
    for_each_subgraph(node, [&](const AttributeProto& attribute, const GraphProto& inner, int i) {
      graph(inner, fmt::format("{}{}.{}/", path, label_of(node), numbered(attribute.name(), i)));
    });
  }

  void add_sparse(const onnx::SparseTensorProto& sparse, const std::string& label,
                  const std::string& path, const GraphProto* in) {
    const std::string name = sparse.values().name().empty() ? label : sparse.values().name();
    if (sparse.has_values()) add(sparse.values(), name + ".values", path, in, nullptr, "");
    if (sparse.has_indices()) add(sparse.indices(), name + ".indices", path, in, nullptr, "");
  }

  void add(const TensorProto& proto, const std::string& own_name, const std::string& path,
           const GraphProto* in, const NodeProto* constant, const std::string& value) {
    OnnxTensor tensor{
        .info = {}, .proto = &proto, .graph = in, .constant = constant, .value = value};
    const std::string name = unique_name(own_name, path);
    const Subject subject = Subject{model_.file.path()}.in("tensor", name);
    tensor.stored = model_.wire.tensors[model_.wire.spans[OnnxModel::span_of(proto)].tensor];
    auto info = onnx_tensor_info(proto, tensor.stored, subject);
    if (!info) {
      model_.skipped.push_back({name, "holds text"});
      return;
    }
    tensor.info = std::move(*info);
    tensor.info.name = name;
    const std::size_t index = model_.tensors.size();
    model_.stored_as.push_back(index);
    if (proto.data_location() == TensorProto::EXTERNAL) {
      tensor.external =
          locate_external(model_.file.path(), proto, byte_count(tensor.info), subject);
      model_.stored_as.back() = place_of(tensor, index, subject);
    }
    model_.tensors.push_back(std::move(tensor));
  }

  // The tensor that has the same bytes of an external file. Bytes of it may also belong to several
  // tensors in part, but not without end.
  std::size_t place_of(const OnnxTensor& tensor, std::size_t index, const Subject& subject) {
    const OnnxExternal& external = *tensor.external;
    const std::size_t first = places_
                                  .try_emplace({external.path, external.offset,
                                                tensor.proto->data_type(), tensor.info.shape},
                                               index)
                                  .first->second;
    const auto budget = budgets_.try_emplace(external.path, external.file_bytes).first;
    if (!budget->second.take(external.n_bytes, first == index)) {
      throw subject.error("the tensors in '{}' are many times larger than this file",
                          shown(external.path));
    }
    return first;
  }

  std::string unique_name(const std::string& own, const std::string& path) {
    std::string name = own.empty() ? "unnamed" : own;
    if (names_.contains(name)) name = path + name;
    if (names_.contains(name)) {
      const std::string start = name;
      for (std::size_t& i = repeats_[start]; names_.contains(name); ++i) {
        name = fmt::format("{}#{}", start, i + 2);
      }
    }
    names_.insert(name);
    return name;
  }

  OnnxModel& model_;
  std::unordered_set<std::string> names_;
  std::map<std::string, std::size_t> repeats_;
  std::map<std::tuple<std::string, std::uint64_t, int, Shape>, std::size_t> places_;
  std::map<std::string, NamedExpansion> budgets_;
};

std::unique_ptr<onnx::ModelProto> parse(const InputFile& file, std::string& skeleton) {
  auto proto = std::make_unique<onnx::ModelProto>();
  if (!proto->ParseFromString(skeleton)) {
    throw Subject{file.path()}.error("not a sound ONNX model: a message or a text is malformed");
  }
  std::string().swap(skeleton);
  if (!proto->has_graph()) throw Subject{file.path()}.error("an ONNX model without a graph");
  return proto;
}

}  // namespace

OnnxModel::OnnxModel(InputFile from)
    : file(std::move(from)), wire(read_onnx_wire(file)), proto(parse(file, wire.skeleton)) {
  Collector(*this).run();
  find_onnx_layouts(*this);
  file.require_unchanged();
}

std::map<std::string, std::uint64_t> OnnxModel::external_files() const {
  std::map<std::string, std::uint64_t> files;
  for (const OnnxTensor& tensor : tensors) {
    if (tensor.external) files.emplace(tensor.external->path, tensor.external->file_bytes);
  }
  return files;
}

std::vector<std::byte> OnnxModel::read(const OnnxTensor& tensor) const {
  const std::size_t n_bytes = byte_count(tensor.info);
  if (tensor.external) {
    const InputFile other(tensor.external->path);
    if (other.size() != tensor.external->file_bytes) {
      throw Subject{other.path()}.error(ErrorCode::kIo, "was changed while it was read");
    }
    return other.read(tensor.external->offset, n_bytes);
  }
  std::vector<std::byte> bytes;
  if (tensor.stored.has_raw && tensor.stored.n_typed == 0) {
    bytes = file.read(tensor.stored.raw_begin, n_bytes);
  } else if (n_bytes != 0) {
    const OnnxSpan& span = wire.spans[tensor.stored.span];
    const auto message = file.read(span.content, static_cast<std::size_t>(span.end - span.content));
    TensorProto whole;
    if (!whole.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      throw Subject{file.path()}.in("tensor", tensor.info.name).error("is malformed");
    }
    bytes = onnx_typed_values(whole, n_bytes);
  }
  file.require_unchanged();
  return bytes;
}

}  // namespace pqw
