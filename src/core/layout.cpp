// Names of kinds, and permutations of dimensions.
#include "pqw/core/layout.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "pqw/core/tensor.h"

namespace pqw {
namespace {

// In the order of Kind.
constexpr std::array<std::string_view, 8> kNames = {
    "unknown", "linear", "conv", "depthwise", "transposed_conv", "embedding", "recurrent", "other"};

// Of the canonical tensor: outputs, inputs, kernel. A shorter kernel has the last ones.
constexpr std::string_view kKernel = "dhw";

}  // namespace

std::string_view to_string(Kind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::optional<Kind> kind_from_string(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kNames.begin());
}

bool is_permutation(std::span<const std::size_t> axes, std::size_t rank) {
  if (axes.size() != rank) return false;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (std::ranges::find(axes, axis) == axes.end()) return false;
  }
  return true;
}

std::vector<std::size_t> canonical_shape(std::span<const std::size_t> shape,
                                         std::span<const std::size_t> axes) {
  if (axes.empty()) return {shape.begin(), shape.end()};
  assert(is_permutation(axes, shape.size()));
  std::vector<std::size_t> canonical;
  for (const std::size_t axis : axes) canonical.push_back(shape[axis]);
  return canonical;
}

std::optional<std::vector<std::size_t>> axes_from_letters(std::string_view letters) {
  const auto place = [&](char letter, char other) {
    return std::min(letters.find(letter), letters.find(other));
  };
  std::vector<std::size_t> axes = {place('o', 'c'), place('i', 'm')};
  for (const char letter : kKernel) {
    if (letters.find(letter) != letters.npos) axes.push_back(letters.find(letter));
  }
  if (!is_permutation(axes, letters.size())) return std::nullopt;
  return axes;
}

std::string letters_of(std::span<const std::size_t> axes, std::size_t rank) {
  std::vector<std::size_t> order(axes.begin(), axes.end());
  for (std::size_t i = order.size(); i < rank; ++i) order.push_back(i);
  if (rank < 2 || rank > 2 + kKernel.size()) return to_string(order);
  const std::string canonical = "oi" + std::string(kKernel.substr(kKernel.size() - (rank - 2)));
  std::string letters(rank, ' ');
  for (std::size_t i = 0; i < rank; ++i) letters[order[i]] = canonical[i];
  return letters;
}

}  // namespace pqw
