// Finds which tensors of an ONNX model are weights of layers, and their orders of dimensions, by
// the operators that use them.
#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/byte_order.h"
#include "formats/onnx_model.h"
#include "formats/onnx_uses.h"

namespace pqw {
namespace {

using onnx::NodeProto;

constexpr int kMostHops = 8;  // nodes between a tensor and its layer

// A value that is a tensor, or a tensor after Transpose, Reshape, Cast, ...
struct View {
  Shape shape;
  std::vector<std::size_t> dims;  // dimension i of the value is dimension dims[i] of the tensor
  bool is_clear = true;           // false if a Reshape mixes dimensions
};

constexpr std::size_t kNewDim = static_cast<std::size_t>(-1);  // of size 1, in View::dims

std::vector<std::size_t> identity(std::size_t rank) {
  std::vector<std::size_t> dims(rank);
  std::iota(dims.begin(), dims.end(), std::size_t{0});
  return dims;
}

std::vector<std::size_t> swapped(std::size_t rank, std::size_t a, std::size_t b) {
  std::vector<std::size_t> dims = identity(rank);
  std::swap(dims[a], dims[b]);
  return dims;
}

bool is_any(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// The layout of an operand of a matrix product. `is_first`: the operand is A of A B.
std::optional<Layout> product_operand(std::size_t rank, bool is_first, bool is_transposed) {
  if (rank < 2) return std::nullopt;
  const bool has_outputs_first = is_first != is_transposed;
  Layout layout{Kind::kLinear,
                has_outputs_first ? identity(rank) : swapped(rank, rank - 2, rank - 1), ""};
  if (rank > 2) layout.ambiguous = "the product is one of several matrices";
  return layout;
}

std::optional<Layout> convolution(const NodeProto& node, const View& view) {
  if (view.shape.size() < 3) return std::nullopt;
  const bool is_depthwise = int_attribute(node, "group", 1) > 1 && view.shape[1] == 1;
  const std::size_t rank = view.shape.size();
  if (is_depthwise) return Layout{Kind::kDepthwise, identity(rank), ""};
  if (node.op_type() != "ConvTranspose") return Layout{Kind::kConv, identity(rank), ""};
  return Layout{Kind::kTransposedConv, swapped(rank, 0, 1), ""};
}

// The layout that an operator gives its operand, in the dimensions of the operand. Empty if it is
// not a layer, or the operand not a weight.
std::optional<Layout> layout_of(const NodeProto& node, int input, const View& view) {
  const std::string& op = node.op_type();
  const std::size_t rank = view.shape.size();
  if (is_any(op, {"MatMul", "MatMulInteger", "FusedMatMul"}) && input < 2) {
    return product_operand(rank, input == 0,
                           int_attribute(node, input == 0 ? "transA" : "transB", 0) != 0);
  }
  if (op == "QLinearMatMul" && (input == 0 || input == 3)) {
    return product_operand(rank, input == 0, false);
  }
  if (is_any(op, {"Gemm", "FusedGemm"}) && input < 2 && rank == 2) {
    return product_operand(rank, input == 0,
                           int_attribute(node, input == 0 ? "transA" : "transB", 0) != 0);
  }
  if (is_any(op, {"Attention", "QAttention"}) && input == 1) {
    return product_operand(rank, false, false);
  }
  if (is_any(op, {"Conv", "ConvInteger", "ConvTranspose", "FusedConv"}) && input == 1) {
    return convolution(node, view);
  }
  if (op == "QLinearConv" && input == 3) return convolution(node, view);
  if (op == "Gather" && input == 0 && rank == 2) {
    const std::int64_t axis = int_attribute(node, "axis", 0);
    return Layout{Kind::kEmbedding, axis == 0 || axis == -2 ? identity(2) : swapped(2, 0, 1), ""};
  }
  if (is_any(op, {"LSTM", "GRU", "RNN"}) && rank == 3 && (input == 1 || input == 2)) {
    // [directions, gates * units, in]
    return Layout{Kind::kRecurrent,
                  view.shape[0] == 1 ? std::vector<std::size_t>{1, 2, 0} : identity(3), ""};
  }
  const bool is_other =
      (is_any(op, {"Conv", "ConvTranspose", "Gemm", "FusedConv", "FusedGemm"}) && input == 2) ||
      (is_any(op, {"LSTM", "GRU", "RNN"}) && input > 2) ||
      (is_any(op, {"BatchNormalization", "InstanceNormalization", "LayerNormalization",
                   "GroupNormalization", "SimplifiedLayerNormalization", "PRelu"}) &&
       input > 0);
  return is_other ? std::optional(Layout{Kind::kOther, identity(rank), ""}) : std::nullopt;
}

class Finder {
 public:
  explicit Finder(OnnxModel& model) : model_(model), uses_(model) {}

  void run() {
    for (OnnxTensor& tensor : model_.tensors) {
      const OnnxValue* const value =
          tensor.value.empty() ? nullptr : uses_.find(tensor.graph, tensor.value);
      if (value == nullptr) continue;
      const std::size_t rank = tensor.info.shape.size();
      found_.clear();
      steps_ = 0;
      follow(*value, {tensor.info.shape, identity(rank)}, 0);
      tensor.info.layout = chosen(rank);
    }
  }

 private:
  void follow(const OnnxValue& value, const View& view, int hops) {
    if (hops > kMostHops) return;
    for (const OnnxUse& use : value.uses) {
      if (++steps_ > kMostSteps) return;
      if (!is_known_domain(*use.node)) continue;
      if (auto layout = layout_of(*use.node, use.input, view)) {
        found_.push_back(in_file(std::move(*layout), view));
      } else if (const auto next = passed_on(use, view)) {
        const OnnxValue* const output =
            use.node->output_size() > 0 ? uses_.find(use.graph, use.node->output(0)) : nullptr;
        if (output != nullptr) follow(*output, *next, hops + 1);
      }
    }
  }

  // The output of a node that only arranges or converts its operand.
  std::optional<View> passed_on(const OnnxUse& use, const View& view) const {
    const std::string& op = use.node->op_type();
    if (use.input != 0) return std::nullopt;
    if (is_any(op, {"Identity", "Cast", "CastLike", "DequantizeLinear", "QuantizeLinear"}))
      return view;
    if (op == "Transpose") return transposed(*use.node, view);
    if (op == "Unsqueeze" || op == "Squeeze" || op == "Flatten") {
      return View{view.shape, view.dims, false};
    }
    return op == "Reshape" ? std::optional(reshaped(use, view)) : std::nullopt;
  }

  static std::optional<View> transposed(const NodeProto& node, const View& view) {
    const std::size_t rank = view.shape.size();
    std::vector<std::int64_t> order = ints_attribute(node, "perm");
    if (order.empty()) {
      for (std::size_t i = rank; i-- > 0;) order.push_back(static_cast<std::int64_t>(i));
    }
    if (order.size() != rank) return std::nullopt;
    View result{{}, {}, view.is_clear};
    for (const std::int64_t from : order) {
      if (from < 0 || from >= static_cast<std::int64_t>(rank)) return std::nullopt;
      result.shape.push_back(view.shape[static_cast<std::size_t>(from)]);
      result.dims.push_back(view.dims[static_cast<std::size_t>(from)]);
    }
    return result;
  }

  // Clear if only dimensions of size 1 come or go.
  View reshaped(const OnnxUse& use, const View& view) const {
    const View unclear{view.shape, view.dims, false};
    const auto shape = constant_shape(use, view);
    if (!shape) return unclear;
    View result{*shape, {}, view.is_clear};
    std::size_t next = 0;
    const auto skip_ones = [&] {
      while (next < view.shape.size() && view.shape[next] == 1) ++next;
    };
    for (const std::size_t size : *shape) {
      if (next < view.shape.size() && view.shape[next] == size) {
        result.dims.push_back(view.dims[next++]);
      } else if (size == 1) {
        result.dims.push_back(kNewDim);
      } else {
        skip_ones();
        if (next == view.shape.size() || view.shape[next] != size) {
          return {*shape, std::vector<std::size_t>(shape->size(), kNewDim), false};
        }
        result.dims.push_back(view.dims[next++]);
      }
    }
    return result;
  }

  // The second operand of a Reshape, if it is a constant.
  std::optional<Shape> constant_shape(const OnnxUse& use, const View& view) const {
    if (use.node->input_size() < 2) return std::nullopt;
    const OnnxValue* const value = uses_.find(use.graph, use.node->input(1));
    if (value == nullptr || value->tensor == kNoTensor) return std::nullopt;
    const OnnxTensor& tensor = model_.tensors[value->tensor];
    constexpr std::size_t kMostRank = 16;
    if (tensor.info.dtype != DType::kI64 || tensor.info.shape.size() != 1 ||
        tensor.info.shape[0] > kMostRank) {
      return std::nullopt;
    }
    const std::vector<std::byte> bytes = model_.read(tensor);
    const std::size_t all = element_count(view.shape);
    Shape shape;
    std::size_t known = 1;
    std::optional<std::size_t> open;
    for (std::size_t i = 0; i < tensor.info.shape[0]; ++i) {
      const auto size = static_cast<std::int64_t>(
          load_little_endian<std::uint64_t>(std::span(bytes).subspan(i * 8, 8)));
      if (size == -1) open = i;
      if (size == 0 && i >= view.shape.size()) return std::nullopt;
      shape.push_back(size == 0 ? view.shape[i] : size < 0 ? 1 : static_cast<std::size_t>(size));
      if (shape.back() == 0 || known > all / shape.back()) return std::nullopt;
      known *= shape.back();
    }
    if (open) shape[*open] = all / known;
    return element_count(shape) == all ? std::optional(shape) : std::nullopt;
  }

  // The same layout with axes of the tensor, if the tensor has all of them.
  static Layout in_file(Layout layout, const View& view) {
    if (layout.kind == Kind::kOther) return {Kind::kOther, {}, ""};
    std::vector<std::size_t> axes;
    for (const std::size_t axis : layout.axes) {
      if (view.dims[axis] != kNewDim) axes.push_back(view.dims[axis]);
    }
    layout.axes = std::move(axes);
    if (!view.is_clear) {
      layout.axes.clear();
      layout.ambiguous = "the tensor is reshaped before its layer";
    }
    return layout;
  }

  // The first layer that uses the tensor decides.
  Layout chosen(std::size_t rank) {
    const auto is_weight = [](const Layout& layout) { return layout.kind != Kind::kOther; };
    const auto first = std::ranges::find_if(found_, is_weight);
    if (first == found_.end()) return found_.empty() ? Layout{} : found_.front();
    for (Layout& layout : found_) {
      // Dimensions of size 1 that a Reshape removed; or none at all.
      if (layout.axes.size() != rank || layout.axes == identity(rank)) layout.axes.clear();
    }
    const bool differs = std::ranges::any_of(
        found_, [&](const Layout& other) { return is_weight(other) && other.axes != first->axes; });
    if (differs) first->ambiguous = "layers use the tensor in different orders";
    return *first;
  }

  static constexpr std::size_t kMostSteps = 256;  // for each tensor

  OnnxModel& model_;
  const OnnxUses uses_;
  std::vector<Layout> found_;
  std::size_t steps_ = 0;
};

}  // namespace

void find_onnx_layouts(OnnxModel& model) { Finder(model).run(); }

}  // namespace pqw
