// Layouts of the weights in files of Keras, by the classes of their layers.
#include "formats/keras_layouts.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json_file.h"
#include "formats/layout_names.h"

namespace pqw {
namespace {

using nlohmann::json;

enum class Family {
  kDense,
  kEinsumDense,
  kConv,
  kTransposedConv,
  kDepthwise,
  kSeparable,
  kEmbedding,
  kRecurrent,
  kAttention
};

struct Row {
  std::string_view class_name;  // in the JSON
  std::string_view name;        // of layers, by default
  Family family;
};

constexpr std::array<Row, 21> kRows = {{
    {"Dense", "dense", Family::kDense},
    {"EinsumDense", "einsum_dense", Family::kEinsumDense},
    {"Conv1D", "conv1d", Family::kConv},
    {"Conv2D", "conv2d", Family::kConv},
    {"Conv3D", "conv3d", Family::kConv},
    {"Conv1DTranspose", "conv1d_transpose", Family::kTransposedConv},
    {"Conv2DTranspose", "conv2d_transpose", Family::kTransposedConv},
    {"Conv3DTranspose", "conv3d_transpose", Family::kTransposedConv},
    {"DepthwiseConv1D", "depthwise_conv1d", Family::kDepthwise},
    {"DepthwiseConv2D", "depthwise_conv2d", Family::kDepthwise},
    {"SeparableConv1D", "separable_conv1d", Family::kSeparable},
    {"SeparableConv2D", "separable_conv2d", Family::kSeparable},
    {"Embedding", "embedding", Family::kEmbedding},
    {"LSTM", "lstm", Family::kRecurrent},
    {"GRU", "gru", Family::kRecurrent},
    {"SimpleRNN", "simple_rnn", Family::kRecurrent},
    {"LSTMCell", "lstm_cell", Family::kRecurrent},
    {"GRUCell", "gru_cell", Family::kRecurrent},
    {"SimpleRNNCell", "simple_rnn_cell", Family::kRecurrent},
    {"MultiHeadAttention", "multi_head_attention", Family::kAttention},
    {"GroupedQueryAttention", "grouped_query_attention", Family::kAttention},
}};

struct LayerClass {
  std::optional<Family> family = {};  // none: a class without weights, or an unknown one
  std::string equation = {};          // of EinsumDense: "...x,xyz->...yz"
};
using Classes = std::map<std::string, LayerClass, std::less<>>;  // by the names of layers

std::optional<Family> family_of_class(std::string_view class_name) {
  const auto* const row = std::ranges::find(kRows, class_name, &Row::class_name);
  return row == kRows.end() ? std::nullopt : std::optional(row->family);
}

// Null unless `object` is a JSON object with a text at that key.
const std::string* text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

LayerClass class_of(const std::string& class_name, const json& config) {
  const std::string* equation = text_at(config, "equation");
  return {family_of_class(class_name), equation == nullptr ? "" : *equation};
}

// The layers of a model, and of models in it: objects with a class and a named config. A wrapper
// (TimeDistributed, Bidirectional) counts as the layer in it.
Classes classes_in(const json& model) {
  Classes classes;
  std::vector<const json*> open = {&model};
  while (!open.empty()) {
    const json& value = *open.back();
    open.pop_back();
    if (value.is_structured()) {
      for (const json& item : value) open.push_back(&item);
    }
    if (!value.is_object()) continue;
    const std::string* class_name = text_at(value, "class_name");
    const auto found = value.find("config");
    if (class_name == nullptr || found == value.end() || !found->is_object()) continue;
    LayerClass layer = class_of(*class_name, *found);
    const auto wrapped = found->find("layer");
    if (!layer.family && wrapped != found->end() && wrapped->is_object()) {
      const std::string* inner = text_at(*wrapped, "class_name");
      const auto config_of_inner = wrapped->find("config");
      if (inner != nullptr && config_of_inner != wrapped->end()) {
        layer = class_of(*inner, *config_of_inner);
      }
    }
    if (const std::string* name = text_at(*found, "name")) classes.emplace(*name, layer);
  }
  return classes;
}

std::vector<std::string_view> components_of(std::string_view name) {
  std::vector<std::string_view> components;
  for (;;) {
    const std::size_t slash = std::min(name.find('/'), name.size());
    components.push_back(name.substr(0, slash));
    if (slash == name.size()) return components;
    name.remove_prefix(slash + 1);
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

// "conv2d" of "conv2d_12", "lstm" of "forward_lstm".
std::optional<Family> family_by_default_name(std::string_view name) {
  for (const std::string_view prefix : {"forward_", "backward_"}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  const std::size_t last = name.rfind('_');
  if (last != name.npos && is_number(name.substr(last + 1))) name = name.substr(0, last);
  if (name == "cell") return Family::kRecurrent;
  const auto* const row = std::ranges::find(kRows, name, &Row::name);
  return row == kRows.end() ? std::nullopt : std::optional(row->family);
}

// The innermost layer in the path of a tensor.
LayerClass layer_of(std::span<const std::string_view> path, const Classes& classes) {
  for (std::size_t i = path.size(); i-- > 0;) {
    const auto found = classes.find(path[i]);
    if (found != classes.end()) return found->second;
    if (const auto family = family_by_default_name(path[i])) return {family};
  }
  return {};
}

// "kernel" of "kernel:0" (Keras 2); for "vars/0" (Keras 3) by the order in which the layer makes
// its variables.
std::string_view variable_of(std::span<const std::string_view> path, Family family) {
  constexpr std::array<std::string_view, 3> kSeparable = {"depthwise_kernel", "pointwise_kernel",
                                                          "bias"};
  constexpr std::array<std::string_view, 3> kRecurrent = {"kernel", "recurrent_kernel", "bias"};
  constexpr std::array<std::string_view, 3> kOthers = {"kernel", "bias", ""};
  std::string_view name = path.back();
  if (name.ends_with(":0")) name.remove_suffix(2);
  if (path.size() < 2 || path[path.size() - 2] != "vars" || !is_number(name)) return name;
  const auto& order = family == Family::kSeparable   ? kSeparable
                      : family == Family::kRecurrent ? kRecurrent
                                                     : kOthers;
  const std::size_t index = static_cast<std::size_t>(name.front() - '0');
  return name.size() == 1 && index < order.size() ? order[index] : "";
}

// Projections of attention: [in, heads, dim], and [heads, dim, out] for the outputs.
Layout of_attention(std::span<const std::string_view> path, std::size_t rank) {
  if (rank == 2) return {Kind::kLinear, {1, 0}};
  if (rank != 3) return {};
  const bool is_output = std::ranges::any_of(
      path, [](std::string_view name) { return name.find("output") != name.npos; });
  return {Kind::kLinear,
          is_output ? std::vector<std::size_t>{2, 0, 1} : std::vector<std::size_t>{1, 2, 0}};
}

// The inputs of a kernel are the dimensions that the equation sums over: x in "...x,xyz->...yz".
// The other dimensions are its outputs.
Layout of_einsum(std::string_view equation, std::size_t rank) {
  constexpr const char* kDoubt = "only the equation of an EinsumDense layer tells its inputs";
  if (equation.empty() && rank == 2) return {Kind::kLinear, {1, 0}};
  const std::size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == equation.npos || arrow == equation.npos || arrow < comma) {
    return {Kind::kUnknown, {}, kDoubt};
  }
  const std::string_view inputs = equation.substr(0, comma), outputs = equation.substr(arrow + 2);
  const std::string_view kernel = equation.substr(comma + 1, arrow - comma - 1);
  std::vector<std::size_t> axes, summed;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const bool is_input = inputs.find(kernel[i]) != inputs.npos;
    const bool is_output = outputs.find(kernel[i]) != outputs.npos;
    if (is_input || is_output) (is_output ? axes : summed).push_back(i);
  }
  const bool is_whole = axes.size() + summed.size() == rank && kernel.size() == rank;
  if (!is_whole || axes.empty() || summed.empty()) return {Kind::kUnknown, {}, kDoubt};
  axes.insert(axes.end(), summed.begin(), summed.end());
  return {Kind::kLinear, axes};
}

// REQUIRES: rank 2 or more.
Layout layout_of(std::span<const std::string_view> path, const LayerClass& layer,
                 std::size_t rank) {
  const Family family = *layer.family;
  const std::string_view variable = variable_of(path, family);
  if (family == Family::kEmbedding) return {rank == 2 ? Kind::kEmbedding : Kind::kUnknown};
  if (variable == "bias") return {Kind::kOther};
  if (variable == "pointwise_kernel") return {Kind::kConv, kernel_first(rank)};
  if (variable == "depthwise_kernel") return {Kind::kDepthwise, kernel_first(rank, true)};
  if (variable == "recurrent_kernel") return {Kind::kRecurrent, {1, 0}};
  if (variable != "kernel") return {};
  switch (family) {
    case Family::kDense:
      if (rank != 2) return {};
      return {Kind::kLinear, {1, 0}};
    case Family::kEinsumDense:
      return of_einsum(layer.equation, rank);
    case Family::kConv:
      return {Kind::kConv, kernel_first(rank)};
    case Family::kTransposedConv:
      return {Kind::kTransposedConv, kernel_first(rank, true)};
    case Family::kDepthwise:
      return {Kind::kDepthwise, kernel_first(rank, true)};
    case Family::kRecurrent:
      return {Kind::kRecurrent, {1, 0}};
    case Family::kAttention:
      return of_attention(path, rank);
    default:
      return {};
  }
}

bool is_optimizer_state(std::string_view name) {
  return name.starts_with("optimizer_weights/") || name.starts_with("optimizer/");
}

}  // namespace

bool is_keras(std::span<const TensorInfo> tensors, const Metadata& metadata) {
  if (metadata.contains("model_config") || metadata.contains("keras_version")) return true;
  return std::ranges::any_of(tensors, [](const TensorInfo& info) {
    const auto path = components_of(info.name);
    return path.size() >= 3 && path[path.size() - 2] == "vars" && is_number(path.back()) &&
           (path[0] == "layers" || path[0] == "_layer_checkpoint_dependencies");
  });
}

bool set_keras_layouts(WeightReader& reader, const std::string& config) {
  const json model = json::parse(strict_json(config), nullptr, false);
  const Classes classes = classes_in(model);
  for (std::size_t i = 0; i < reader.tensors().size(); ++i) {
    const TensorInfo& info = reader.tensors()[i];
    const auto path = components_of(info.name);
    const std::size_t rank = info.shape.size();
    Layout layout;
    if (rank < 2 || is_optimizer_state(info.name)) {
      layout.kind = Kind::kOther;
    } else if (const LayerClass layer = layer_of(path, classes); layer.family) {
      layout = layout_of(path, layer, rank);
      if (layout.axes.size() != rank || std::ranges::is_sorted(layout.axes)) layout.axes.clear();
    }
    reader.set_layout(i, std::move(layout));
  }
  return !model.is_discarded();
}

}  // namespace pqw
