// Chooses settings by the role of a tensor in its network.
#include "compress/quality.h"

#include <string>
#include <string_view>

#include "pqw/core/matrix.h"

namespace pqw {
namespace {

bool is_tall(const TensorInfo& info) {
  constexpr std::size_t kRows = 2048, kRowsPerColumn = 6;
  if (info.layout.kind == Kind::kEmbedding) return true;
  return info.shape.size() == 2 && info.shape[0] >= kRows &&
         info.shape[0] / kRowsPerColumn >= info.shape[1];
}

// Of a row of the matrix that is encoded. REQUIRES: rank 2 or more.
std::size_t columns_of(const TensorInfo& info) {
  return matrix_shape(canonical_shape(info.shape, info.layout.axes)).cols;
}

bool is_small(Role role) { return role == Role::kSmall || role == Role::kNarrowSmall; }

// Narrow tensors of 8192 weights or more have at least 8 rows for each column, as tall ones.
std::string_view centroids(Quality quality, Role role) {
  if (is_small(role) || quality == Quality::kSmall) return "64";
  return role == Role::kLarge ? "512" : "1024";
}

// Bits per weight of tcq.
std::string_view bits(Quality quality, Role role) {
  if (role == Role::kThin) {
    return quality == Quality::kHigh ? "8" : quality == Quality::kBalanced ? "7" : "6";
  }
  if (quality == Quality::kHigh) return "6";
  if (is_small(role)) return quality == Quality::kBalanced ? "5.5" : "4.5";
  if (quality == Quality::kSmall) return role == Role::kLarge ? "3" : "3.5";
  return role == Role::kLarge ? "4" : "4.5";
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
  constexpr std::size_t kTinyWeights = 2048;
  constexpr std::size_t kThinWeights = 8192;
  constexpr std::size_t kSmallShare = 40;
  constexpr std::size_t kNarrowColumns = 32;
  const std::size_t n = element_count(info.shape);
  const bool looks_depthwise = info.shape.size() >= 3 && info.shape[1] == 1;
  const Kind kind = info.layout.kind;
  const bool depthwise = kind == Kind::kUnknown ? looks_depthwise : kind == Kind::kDepthwise;
  if (depthwise || n < kThinWeights) return n < kTinyWeights ? Role::kTiny : Role::kThin;
  const std::size_t columns = columns_of(info);
  const bool small = n < n_weights_of_file / kSmallShare;
  if (columns < kNarrowColumns) return small || columns == 1 ? Role::kNarrowSmall : Role::kNarrow;
  if (small) return Role::kSmall;
  return is_tall(info) ? Role::kTall : Role::kLarge;
}

Settings preset(Quality quality, Role role, Use use) {
  if (role == Role::kTiny) return {{"codec", "int8"}};
  if (use != Use::kServing) {
    return {{"codec", "tcq"}, {"bits", std::string(bits(quality, role))}};
  }
  if (role == Role::kThin || quality == Quality::kHigh) return {{"codec", "int8"}};
  Settings settings = {{"codec", "pq"},
                       {"block_size", is_small(role) ? "1" : "2"},
                       {"centroids", std::string(centroids(quality, role))}};
  if (role == Role::kNarrow || role == Role::kNarrowSmall) return settings;
  settings.insert(settings.end(), {{"row_scales", "log8"}, {"gain_per", "row"}});
  return settings;
}

}  // namespace pqw
