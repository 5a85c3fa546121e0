// The kind of layer that uses a tensor, and the order in which its file stores the dimensions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pqw {

enum class Kind {
  kUnknown,
  kLinear,          // canonical order: [out, in]
  kConv,            // [out, in, kernel...]
  kDepthwise,       // [channels * multiplier, 1, kernel...]; or [channels, multiplier, kernel...]
  kTransposedConv,  // [out, in, kernel...]
  kEmbedding,       // [rows, dim]
  kRecurrent,       // [gates * units, in]
  kOther,           // biases, normalisation: not the weight of a layer
};

// "linear", "conv", "depthwise", "transposed_conv", "embedding", "recurrent", "other"; "unknown".
std::string_view to_string(Kind kind);

// The inverse of to_string; empty for another name.
std::optional<Kind> kind_from_string(std::string_view name);

struct Layout {
  Kind kind = Kind::kUnknown;
  // Dimension i of the canonical tensor [out, in, kernel...] is dimension axes[i] of the tensor in
  // its file. Empty: the file has the canonical order. [in, out]: {1, 0}; [h, w, in, out]:
  // {3, 2, 0, 1}.
  std::vector<std::size_t> axes = {};
  // Empty, or one sentence: why kind or order is a guess.
  std::string ambiguous = {};

  // `ambiguous` is for people, and does not count.
  bool operator==(const Layout& other) const { return kind == other.kind && axes == other.axes; }
};

// Whether `axes` holds each of 0 .. rank-1 once.
bool is_permutation(std::span<const std::size_t> axes, std::size_t rank);

// The shape of the canonical tensor. REQUIRES: axes empty or is_permutation(axes, shape.size()).
std::vector<std::size_t> canonical_shape(std::span<const std::size_t> shape,
                                         std::span<const std::size_t> axes);

// A letter for each dimension of a tensor in its file: o (outputs), i (inputs), and of the kernel
// d, h, w (depth, height, width). "io" is [in, out], "hwio" [height, width, in, out]. Of depthwise
// weights, c (channels) may stand for o and m (multiplier) for i: "hwcm". Empty if the text is not
// such a list with o and i, no letter twice.
std::optional<std::vector<std::size_t>> axes_from_letters(std::string_view letters);

// The inverse for a tensor of rank 2 to 5, with o and i; "[1, 0, ...]" for other ranks. Empty axes
// are the canonical order. REQUIRES: axes empty or is_permutation(axes, rank).
std::string letters_of(std::span<const std::size_t> axes, std::size_t rank);

}  // namespace pqw
