// Whole files: archive in, weights out.
#include "pqw/pipeline/decompress.h"

#include <fmt/format.h>

#include "pipeline/name_pattern.h"
#include "pqw/core/error.h"
#include "pqw/pipeline/source.h"

namespace pqw {

std::size_t decompress(const std::string& archive, const std::string& output,
                       const std::string& pattern, bool overwrite) {
  if (!is_archive(archive)) {
    throw Error(ErrorCode::kFormat, fmt::format("{}: not a pqw archive", archive));
  }
  const NamePattern filter(pattern);
  const auto reader = open_decoded(archive);
  std::vector<std::size_t> indices;
  std::vector<TensorInfo> infos;
  for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
    if (!filter.matches(reader->tensors()[i].name)) continue;
    indices.push_back(i);
    infos.push_back(reader->tensors()[i]);
  }
  if (indices.empty() && !pattern.empty()) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: pattern '{}' matches no tensor", archive, pattern));
  }
  const auto writer = create_weights(output, infos, reader->metadata(), overwrite);
  for (const std::size_t i : indices) writer->add(reader->read(i).view());
  writer->commit();
  return indices.size();
}

}  // namespace pqw
