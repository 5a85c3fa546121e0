// Choosing tensors by name.
#include "pqw/pipeline/select.h"

#include "core/subject.h"
#include "pipeline/name_pattern.h"

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
    const Subject file{path, ErrorCode::kNotFound};
    if (tensors.empty()) throw file.error("holds no tensor");
    throw file.error("pattern '{}' matches no tensor", shown(pattern));
  }
  return indices;
}

}  // namespace pqw
