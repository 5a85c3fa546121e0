// The format that the name of a file stands for.
#include "formats/extension.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/subject.h"
#include "pqw/core/nearest.h"

namespace pqw {

std::string extension_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

void require_weight_extension(const std::string& path) {
  if (path.empty()) throw Error(ErrorCode::kInvalidArgument, "the name of the output is empty");
  const std::vector<std::string> known = {".safetensors", ".npy", ".npz", ".h5", ".hdf5"};
  const std::string extension = extension_of(path);
  if (std::ranges::find(known, extension) != known.end()) return;
  throw Subject{path}.error(ErrorCode::kInvalidArgument, "unknown extension '{}', expected {}{}",
                            shown(extension), listed(known), did_you_mean(extension, known));
}

}  // namespace pqw
