// Presets of `quality`: the codec and its options by the role of a tensor in its network.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "pqw/codecs/settings.h"
#include "pqw/core/tensor.h"

namespace pqw {

// How much of a network's task must survive, and so how many bits a weight takes
// (docs/recipes.md says how the presets were found).
enum class Quality { kHigh, kBalanced, kSmall };

// What shape and place of a tensor tell about it.
enum class Role {
  // A weight of a depthwise convolution, or a tensor of fewer than 8192 weights. Each output has
  // few weights, so their errors do not average out; and finer weights cost little.
  kThin,
  // The first or the last tensor of the network that is not thin. Errors of the first one reach
  // all layers, errors of the last one reach the answer.
  kEdge,
  kInner,
};

inline constexpr std::array kRoles = {Role::kThin, Role::kEdge, Role::kInner};

// The roles of the tensors of a file: [tensors.size()]. Tensors that cannot be compressed are
// inner.
std::vector<Role> roles_of(std::span<const TensorInfo> tensors);

// The settings of a role.
Settings preset(Quality quality, Role role);

}  // namespace pqw
