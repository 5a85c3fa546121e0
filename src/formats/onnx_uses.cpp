// The values of the graphs of an ONNX model, and the nodes that use them.
#include "formats/onnx_uses.h"

#include <algorithm>

namespace pqw {

using onnx::GraphProto;
using onnx::NodeProto;

OnnxUses::OnnxUses(const OnnxModel& model) {
  add(model.proto->graph(), nullptr);
  for (const auto& training : model.proto->training_info()) {
    Scope* const main = scopes_.at(&model.proto->graph()).get();
    if (training.has_initialization()) add(training.initialization(), main);
    if (training.has_algorithm()) add(training.algorithm(), main);
  }
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const OnnxTensor& tensor = model.tensors[i];
    if (tensor.value.empty() || tensor.graph == nullptr) continue;
    OnnxValue* const value = find(scopes_.at(tensor.graph).get(), tensor.value);
    if (value != nullptr && value->tensor == kNoTensor) value->tensor = i;
  }
}

void OnnxUses::add(const GraphProto& graph, Scope* around) {
  scopes_[&graph] = std::make_unique<Scope>(Scope{around, {}});
  Scope& scope = *scopes_[&graph];
  for (const auto& tensor : graph.initializer()) scope.values[tensor.name()];
  for (const auto& input : graph.input()) scope.values[input.name()];
  for (const NodeProto& node : graph.node()) {
    for (const std::string& output : node.output()) scope.values[output];
  }
  for (const NodeProto& node : graph.node()) {
    for (int i = 0; i < node.input_size(); ++i) {
      OnnxValue* const value = node.input(i).empty() ? nullptr : find(&scope, node.input(i));
      if (value != nullptr) value->uses.push_back({&node, i, &graph});
    }
    for_each_subgraph(node, [&](const auto&, const GraphProto& inner, int) { add(inner, &scope); });
  }
  for (const auto& output : graph.output()) {
    if (OnnxValue* const value = find(&scope, output.name())) value->is_output = true;
  }
}

OnnxValue* OnnxUses::find(Scope* scope, std::string_view name) {
  for (; scope != nullptr; scope = scope->around) {
    const auto found = scope->values.find(name);
    if (found != scope->values.end()) return &found->second;
  }
  return nullptr;
}

const OnnxValue* OnnxUses::find(const GraphProto* graph, std::string_view name) const {
  const auto scope = scopes_.find(graph);
  return scope == scopes_.end() ? nullptr : find(scope->second.get(), name);
}

bool OnnxUses::has_prefix(std::string_view prefix) const {
  return std::ranges::any_of(scopes_, [&](const auto& scope) {
    return std::ranges::any_of(scope.second->values,
                               [&](const auto& value) { return value.first.starts_with(prefix); });
  });
}

std::int64_t int_attribute(const NodeProto& node, std::string_view name, std::int64_t other) {
  const auto found =
      std::ranges::find_if(node.attribute(), [&](const auto& a) { return a.name() == name; });
  return found == node.attribute().end() ? other : found->i();
}

std::vector<std::int64_t> ints_attribute(const NodeProto& node, std::string_view name) {
  const auto found =
      std::ranges::find_if(node.attribute(), [&](const auto& a) { return a.name() == name; });
  if (found == node.attribute().end()) return {};
  return {found->ints().begin(), found->ints().end()};
}

bool is_known_domain(const NodeProto& node) {
  return node.domain().empty() || node.domain() == "ai.onnx" || node.domain() == "com.microsoft";
}

}  // namespace pqw
