// Choosing tensors by name.
#include "pqw/pipeline/select.h"

#include <fmt/format.h>

#include "pipeline/name_pattern.h"
#include "pqw/core/error.h"

namespace pqw {

std::vector<std::size_t> select_tensors(const std::string& path,
                                        std::span<const TensorInfo> tensors,
                                        const std::string& pattern) {
  const NamePattern filter(pattern);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (filter.matches(tensors[i].name)) indices.push_back(i);
  }
  if (indices.empty()) {
    throw Error(ErrorCode::kNotFound,
                tensors.empty() ? fmt::format("{}: holds no tensor", path)
                                : fmt::format("{}: pattern '{}' matches no tensor", path, pattern));
  }
  return indices;
}

}  // namespace pqw
