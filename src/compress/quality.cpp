// Chooses settings by the role of a tensor in its network.
#include "compress/quality.h"

namespace pqw {

Role role_of(const TensorInfo& info) {
  constexpr std::size_t kThinWeights = 8192;
  const bool depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  return depthwise || element_count(info.shape) < kThinWeights ? Role::kThin : Role::kLarge;
}

Settings preset(Quality quality, Role role) {
  if (role == Role::kThin || quality == Quality::kHigh) return {{"codec", "int8"}};
  return {{"codec", "pq"},
          {"block_size", "2"},
          {"centroids", quality == Quality::kBalanced ? "512" : "64"},
          {"row_scales", "log8"},
          {"gain_per", "row"}};
}

}  // namespace pqw
