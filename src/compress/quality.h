// Presets of `quality`: the codec and its options by the role of a tensor in its network.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "pqw/codecs/settings.h"
#include "pqw/core/tensor.h"

namespace pqw {

// The use of an archive: which codecs presets and searches for a target choose.
enum class Use {
  kAny,      // tcq, int8; pq with at most 1024 centroids
  kStorage,  // tcq, int8; pq with at most 4096 centroids
  kServing,  // int8; pq, with at most 256 centroids in searches: codes are bytes in memory
};

// How much of the task of a network must survive, and so how many bits a weight takes
// (docs/recipes.md says how the presets were found).
enum class Quality { kHigh, kBalanced, kSmall };

enum class Role {
  // A weight of a depthwise convolution, or a tensor of fewer than 8192 weights. Each output has
  // few weights, so their errors do not average out. With 6 to 8 bits per weight, all thin tensors
  // together are a small part of a file.
  kThin,
  // A thin tensor of fewer than 2048 weights: the tables of tcq would be too large a part of it.
  kTiny,
  // Less than a fortieth of the weights of the file. All of these together are a small part of
  // it, too.
  kSmall,
  // Large, and an embedding or a matrix with a row for each word of a vocabulary: few of its rows
  // act at once, so their errors do not average out as those of other large tensors do.
  kTall,
  kLarge,
  // Rows of fewer than 32 columns: the 8 bits of a row scale would be more than a twentieth of the
  // codes of the row. Small tensors and single columns; and all others.
  kNarrowSmall,
  kNarrow,
};

inline constexpr std::array kRoles = {Role::kThin,  Role::kTiny,        Role::kSmall, Role::kTall,
                                      Role::kLarge, Role::kNarrowSmall, Role::kNarrow};

// The weights of a file: elements of tensors of rank 2 or more.
std::size_t weights_of(std::span<const TensorInfo> tensors);

// REQUIRES: a canonical tensor. If its kind is unknown, rank 3 or more with one input is depthwise.
Role role_of(const TensorInfo& info, std::size_t n_weights_of_file);

// The settings of a role.
Settings preset(Quality quality, Role role, Use use);

}  // namespace pqw
