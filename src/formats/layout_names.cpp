// Layouts by the names that PyTorch, Keras and Flax give to tensors, for files that say no more.
#include "formats/layout_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace pqw {
namespace {

struct Name {
  std::string_view last;    // "weight"
  std::string_view parent;  // "fc1"; empty if there is none
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, text) != words.end();
}

// Of "model/fc1/kernel:0" as TensorFlow writes it, or "model.fc1.weight".
Name name_of(std::string_view name) {
  if (name.ends_with(":0")) name.remove_suffix(2);
  const std::size_t end = name.find_last_of("./");
  if (end == name.npos) return {name, ""};
  const std::string_view path = name.substr(0, end);
  const std::size_t begin = path.find_last_of("./");
  return {name.substr(end + 1), begin == path.npos ? path : path.substr(begin + 1)};
}

// Keras and Flax. Flax also calls the weight of attention heads [in, heads, dim] a kernel.
Layout of_kernel(const Name& name, const TensorInfo& info) {
  const std::size_t rank = info.shape.size();
  const bool is_conv = contains(name.parent, "conv") || contains(name.parent, "Conv");
  if (rank == 2) {
    Layout layout{Kind::kLinear, {1, 0}};
    if (!contains(name.parent, "dense") && !contains(name.parent, "Dense")) {
      layout.ambiguous =
          "a matrix named kernel is [in, out] in Keras and Flax; set layout=oi if it is [out, in]";
    }
    return layout;
  }
  if (rank == 3 && !is_conv) {
    return {Kind::kUnknown,
            {},
            "a kernel of rank 3 may be a convolution or attention heads; set "
            "layout=wio if it is [width, in, out]"};
  }
  if (contains(name.parent, "conv") && contains(name.parent, "transpose")) {
    return {Kind::kTransposedConv, kernel_first(rank, true)};
  }
  if (contains(name.parent, "ConvTranspose")) return {Kind::kTransposedConv, kernel_first(rank)};
  const bool depthwise = info.shape[rank - 2] == 1 && info.shape[rank - 1] > 1;
  Layout layout{depthwise ? Kind::kDepthwise : Kind::kConv, kernel_first(rank)};
  if (depthwise) {
    layout.ambiguous = "a kernel with one input may be depthwise or have one channel";
  } else if (!is_conv) {
    layout.ambiguous =
        "a kernel is [kernel..., in, out] in Keras and Flax; transposed convolutions "
        "of Keras are [kernel..., out, in]: set kind and layout for them";
  }
  return layout;
}

// PyTorch.
Layout of_weight(const Name& name, const TensorInfo& info, bool only_depthwise) {
  constexpr std::array<std::string_view, 4> kEmbeddings = {"wte", "wpe", "shared", "embedding"};
  const std::size_t rank = info.shape.size();
  if (name.last.starts_with("weight_ih") || name.last.starts_with("weight_hh")) {
    return {Kind::kRecurrent};
  }
  if (rank == 2) {
    const bool embeds = contains(name.parent, "embed") || is_one_of(name.parent, kEmbeddings);
    return {embeds ? Kind::kEmbedding : Kind::kLinear};
  }
  if (rank > 5 || contains(info.name, "expert")) return {};
  if (contains(name.parent, "deconv") || contains(info.name, "transpose")) {
    Layout layout{Kind::kTransposedConv, {1, 0}};
    for (std::size_t i = 2; i < rank; ++i) layout.axes.push_back(i);
    layout.ambiguous =
        "its name says transposed convolution, [in, out, kernel...] in PyTorch; set "
        "kind=conv and layout=" +
        letters_of({}, rank) + " if it is none";
    return layout;
  }
  if (info.shape[1] != 1) return {Kind::kConv};
  Layout layout{Kind::kDepthwise};
  if (only_depthwise) {
    layout.ambiguous =
        "it is depthwise or a convolution of one channel; set kind=conv if it is the "
        "latter";
  }
  return layout;
}

Layout layout_of(const TensorInfo& info, bool only_depthwise) {
  const std::size_t rank = info.shape.size();
  if (rank < 2) return {Kind::kOther};
  const Name name = name_of(info.name);
  if (name.last == "kernel") return of_kernel(name, info);
  if (name.last == "depthwise_kernel") return {Kind::kDepthwise, kernel_first(rank, true)};
  if (name.last == "pointwise_kernel") return {Kind::kConv, kernel_first(rank)};
  if (name.last == "recurrent_kernel" && rank == 2) return {Kind::kRecurrent, {1, 0}};
  if (rank == 2 && (name.last == "embeddings" || name.last == "embedding")) {
    return {Kind::kEmbedding};
  }
  if (name.last.starts_with("weight") || name.last.ends_with("weight")) {
    return of_weight(name, info, only_depthwise);
  }
  constexpr std::array<std::string_view, 5> kOthers = {"bias", "beta", "gamma", "running_mean",
                                                       "running_var"};
  return {is_one_of(name.last, kOthers) ? Kind::kOther : Kind::kUnknown};
}

// The linear layers of GPT-2 that transformers stores [in, out]. Others store them [out, in].
bool is_gpt2_linear(const TensorInfo& info) {
  constexpr std::array<std::string_view, 4> kLayers = {"c_attn", "c_fc", "c_proj", "q_attn"};
  const Name name = name_of(info.name);
  return info.shape.size() == 2 && name.last == "weight" && is_one_of(name.parent, kLayers);
}

bool is_gpt2_in_out(const TensorInfo& info) {
  const std::string_view parent = name_of(info.name).parent;
  const std::size_t factor = parent == "c_attn" ? 3 : parent == "c_fc" ? 4 : 0;
  return factor > 0 && is_gpt2_linear(info) && info.shape[1] / factor == info.shape[0] &&
         info.shape[1] % factor == 0;
}

bool may_be_depthwise(const TensorInfo& info) {
  return info.shape.size() >= 3 && info.shape[1] == 1;
}

}  // namespace

std::vector<std::size_t> kernel_first(std::size_t rank, bool swapped) {
  std::vector<std::size_t> axes = {rank - 1, rank - 2};
  if (swapped) std::swap(axes[0], axes[1]);
  for (std::size_t i = 0; i + 2 < rank; ++i) axes.push_back(i);
  return axes;
}

std::vector<Layout> layouts_by_name(std::span<const TensorInfo> tensors) {
  const bool only_depthwise = std::ranges::count_if(tensors, may_be_depthwise) == 1;
  const bool is_gpt2 = std::ranges::any_of(tensors, is_gpt2_in_out);
  std::vector<Layout> layouts;
  for (const TensorInfo& info : tensors) {
    const bool is_told = info.layout != Layout() || !info.layout.ambiguous.empty();
    layouts.push_back(is_told                           ? info.layout
                      : is_gpt2 && is_gpt2_linear(info) ? Layout{Kind::kLinear, {1, 0}}
                                                        : layout_of(info, only_depthwise));
  }
  return layouts;
}

}  // namespace pqw
