// Chooses settings by the role of a tensor in its network.
#include "compress/quality.h"

namespace pqw {

std::size_t weights_of(std::span<const TensorInfo> tensors) {
  std::size_t n = 0;
  for (const TensorInfo& info : tensors) {
    if (info.shape.size() >= 2) n += element_count(info.shape);
  }
  return n;
}

Role role_of(const TensorInfo& info, std::size_t n_weights_of_file) {
  constexpr std::size_t kThinWeights = 8192;
  constexpr std::size_t kSmallShare = 40;
  const std::size_t n = element_count(info.shape);
  const bool depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  if (depthwise || n < kThinWeights) return Role::kThin;
  return n < n_weights_of_file / kSmallShare ? Role::kSmall : Role::kLarge;
}

Settings preset(Quality quality, Role role) {
  if (role == Role::kThin || quality == Quality::kHigh) return {{"codec", "int8"}};
  const bool fine = role == Role::kSmall;
  return {{"codec", "pq"},
          {"block_size", fine ? "1" : "2"},
          {"centroids", quality == Quality::kSmall || fine ? "64" : "512"},
          {"row_scales", "log8"},
          {"gain_per", "row"}};
}

}  // namespace pqw
