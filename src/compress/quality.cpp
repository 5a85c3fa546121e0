// Chooses settings by the role of a tensor in its network.
#include "compress/quality.h"

#include <string>
#include <string_view>

namespace pqw {
namespace {

bool is_tall(const TensorInfo& info) {
  constexpr std::size_t kRows = 2048, kRowsPerColumn = 6;
  if (info.layout.kind == Kind::kEmbedding) return true;
  return info.shape.size() == 2 && info.shape[0] >= kRows &&
         info.shape[0] / kRowsPerColumn >= info.shape[1];
}

std::string_view centroids(Quality quality, Role role) {
  if (role == Role::kSmall || quality == Quality::kSmall) return "64";
  return role == Role::kTall ? "1024" : "512";
}

}  // namespace

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
  const bool looks_depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  const Kind kind = info.layout.kind;
  const bool depthwise = kind == Kind::kUnknown ? looks_depthwise : kind == Kind::kDepthwise;
  if (depthwise || n < kThinWeights) return Role::kThin;
  if (n < n_weights_of_file / kSmallShare) return Role::kSmall;
  return is_tall(info) ? Role::kTall : Role::kLarge;
}

Settings preset(Quality quality, Role role) {
  if (role == Role::kThin || quality == Quality::kHigh) return {{"codec", "int8"}};
  return {{"codec", "pq"},
          {"block_size", role == Role::kSmall ? "1" : "2"},
          {"centroids", std::string(centroids(quality, role))},
          {"row_scales", "log8"},
          {"gain_per", "row"}};
}

}  // namespace pqw
