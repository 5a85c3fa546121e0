// Chooses settings by the role of a tensor in its network.
#include "compress/quality.h"

#include <optional>

#include "pqw/core/dtype.h"

namespace pqw {
namespace {

bool may_be_compressed(const TensorInfo& info) {
  return !info.unknown && is_compressible(info.dtype) && info.shape.size() >= 2;
}

bool is_thin(const TensorInfo& info) {
  constexpr std::size_t kThinWeights = 8192;
  const bool depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  return depthwise || element_count(info.shape) < kThinWeights;
}

}  // namespace

std::vector<Role> roles_of(std::span<const TensorInfo> tensors) {
  std::vector<Role> roles(tensors.size(), Role::kInner);
  std::optional<std::size_t> first, last;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!may_be_compressed(tensors[i])) continue;
    if (is_thin(tensors[i])) {
      roles[i] = Role::kThin;
      continue;
    }
    if (!first) first = i;
    last = i;
  }
  if (first) roles[*first] = roles[*last] = Role::kEdge;
  return roles;
}

Settings preset(Quality quality, Role role) {
  if (role == Role::kThin) return {{"codec", "int8"}};
  switch (quality) {
    case Quality::kHigh:
      return {{"codec", "int8"}};
    case Quality::kBalanced:
      return {{"codec", "pq"}, {"block_size", "2"}};
    case Quality::kSmall:
      break;
  }
  return {{"codec", "pq"}, {"block_size", role == Role::kEdge ? "2" : "4"}};
}

}  // namespace pqw
